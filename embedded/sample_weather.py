"""The demo's upstream "weather": the same city and hour always get the same weather. Its document is
specs/weather.yaml.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from embedded.sample_answers import Answer, Asked, answer_by, problem

CONDITIONS = ("clear", "partly cloudy", "cloudy", "rain", "thunderstorm", "snow")
SNOW_BELOW_C = 1.0
STORM_ABOVE_MS = 13.0


@dataclass(frozen=True, slots=True)
class City:
    """A place with its yearly mean and swing of temperature, in degrees Celsius."""

    name: str
    country: str
    latitude: float
    longitude: float
    mean: float
    swing: float


CITIES = {
    "amsterdam": City("Amsterdam", "NL", 52.37, 4.90, 10.5, 7.0),
    "berlin": City("Berlin", "DE", 52.52, 13.40, 9.9, 10.0),
    "lisbon": City("Lisbon", "PT", 38.72, -9.14, 17.4, 6.0),
    "nairobi": City("Nairobi", "KE", -1.29, 36.82, 19.0, 1.5),
    "oslo": City("Oslo", "NO", 59.91, 10.75, 6.3, 11.0),
    "tokyo": City("Tokyo", "JP", 35.68, 139.69, 15.8, 10.5),
}


def build() -> Callable[[Asked], Answer]:
    """The service."""
    return answer_by(
        [
            ("GET", "/cities", _cities),
            ("GET", "/current", _current),
            ("GET", "/forecast/(?P<city_id>[a-z]{1,40})", _forecast),
            ("GET", "/alerts", _alerts),
        ]
    )


def _cities(asked: Asked) -> Answer:
    rows = [
        {"id": key, "name": c.name, "country": c.country, "latitude": c.latitude, "longitude": c.longitude}
        for key, c in CITIES.items()
    ]
    return Answer(200, {"cities": rows})


def _current(asked: Asked) -> Answer:
    city_id = asked.query.get("city", "")
    city = _find(city_id)
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    weather = _weather(city_id, city, now)
    return Answer(200, {"city": city_id, "observed_at": now.isoformat().replace("+00:00", "Z"), **weather})


def _forecast(asked: Asked, city_id: str) -> Answer:
    city = _find(city_id)
    days = asked.number("days", default=3, least=1, most=10)
    today = datetime.now(UTC).date()
    rows = [_day(city_id, city, today + timedelta(days=number)) for number in range(days)]
    return Answer(200, {"city": city_id, "days": rows})


def _alerts(asked: Asked) -> Answer:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    windy = [(city_id, _weather(city_id, city, now)["wind_m_s"]) for city_id, city in CITIES.items()]
    rows = [
        {"city": city_id, "kind": "wind", "text": f"Gusts of {wind} m/s are expected."}
        for city_id, wind in windy
        if wind > STORM_ABOVE_MS
    ]
    return Answer(200, {"alerts": rows})


def _find(city_id: str) -> City:
    if city_id not in CITIES:
        raise problem(404, f"city must be one of: {', '.join(CITIES)}.")
    return CITIES[city_id]


def _day(city_id: str, city: City, day: date) -> dict[str, Any]:
    night, noon = (
        _weather(city_id, city, datetime(day.year, day.month, day.day, h, tzinfo=UTC)) for h in (3, 14)
    )
    low, high = sorted((night["temperature_c"], noon["temperature_c"]))
    return {"date": day.isoformat(), "low_c": low, "high_c": high, "condition": noon["condition"]}


def _weather(city_id: str, city: City, at: datetime) -> dict[str, Any]:
    """Season, time of day and some chance that is drawn from the city and the hour."""
    luck = hashlib.sha256(f"{city_id} {at:%Y%m%d%H}".encode()).digest()
    season = -math.cos(2 * math.pi * (at.timetuple().tm_yday - 20) / 365) * (1 if city.latitude > 0 else -1)
    daily = -math.cos(2 * math.pi * (at.hour + city.longitude / 15 - 3) / 24) * 3.5
    temperature = round(city.mean + city.swing * season + daily + (luck[0] - 128) / 64, 1)
    condition = CONDITIONS[luck[1] % 5]
    return {
        "temperature_c": temperature,
        "humidity_percent": 35 + luck[2] % 60,
        "wind_m_s": round(luck[3] / 16, 1),
        "condition": "snow" if condition == "rain" and temperature < SNOW_BELOW_C else condition,
    }
