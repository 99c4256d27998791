"""Our own AWS for tests: limits, quotas, order, delays and faults on a virtual clock (see `aws.FakeAWS`)."""

from tests.aws.fake.aws import FakeAWS
from tests.aws.fake.data_plane import Answer, Verdict
from tests.aws.fake.faults import Crashed
from tests.aws.fake.refusals import Refused

__all__ = ["Answer", "Crashed", "FakeAWS", "Refused", "Verdict"]
