"""The secret in the link of an invitation: made from its public id by a key that only we hold.

So the mail task can build the link again and nothing that opens it is stored or passed through the broker.
"""

from __future__ import annotations

from audit.sealing import base62, current_key, keyed_digest, same
from teams.models import Invitation

LINK_PURPOSE = "invitation-link"
DIGEST_PURPOSE = "invitation"
SECRET_LENGTH = 43


def set_digest(invitation: Invitation) -> None:
    """Bind the invitation to the secret that its public id gives under the current key."""
    invitation.digest_key = current_key()
    invitation.digest = keyed_digest(
        secret_of(invitation), purpose=DIGEST_PURPOSE, number=invitation.digest_key
    )


def secret_of(invitation: Invitation) -> str:
    """The secret of the link; 43 letters and digits."""
    raw = keyed_digest(invitation.public_id, purpose=LINK_PURPOSE, number=invitation.digest_key)
    return base62(raw, SECRET_LENGTH)


def opens(invitation: Invitation, secret: str) -> bool:
    """Whether `secret` is the invitation's, compared in constant time by its stored digest."""
    if not secret.isascii() or len(secret) != SECRET_LENGTH:
        return False
    return same(invitation.digest, keyed_digest(secret, purpose=DIGEST_PURPOSE, number=invitation.digest_key))
