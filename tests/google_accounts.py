"""Google's accounts, as far as Vertex AI needs them: a service account's file, and the endpoint that gives tokens."""

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

from server_faults import HttpError

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


@dataclass
class TokenEndpoint:
    """Gives a token for a JWT that the account signed; `seconds` is how long one holds."""

    email: str = "writer@a-project.iam.gserviceaccount.com"
    seconds: int = 3600
    revoked: bool = False
    tokens: list[str] = field(default_factory=list)

    def service_account(self, folder: Path, url: str) -> Path:
        """Writes a service account's file, whose tokens come from `url`/token, and returns its path."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        body = {
            "type": "service_account",
            "project_id": "a-project",
            "private_key_id": "1",
            "private_key": private.decode(),
            "client_email": self.email,
            "token_uri": f"{url}/token",
        }
        path = folder / "service-account.json"
        path.write_text(json.dumps(body))
        return path

    def grant(self, raw: bytes) -> bytes:
        """Returns a new token for a grant that holds; raises HttpError as the endpoint does."""
        form = parse_qs(raw.decode())
        if form.get("grant_type") != [_GRANT] or self.revoked:
            raise HttpError(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        claims = jwt.decode(form["assertion"][0], certs=self._public, verify=True)  # type: ignore[no-untyped-call]  # google-auth's own
        if claims["iss"] != self.email or claims["scope"] != SCOPE:
            raise HttpError(400, {"error": "invalid_scope", "error_description": "Invalid scope."})
        self.tokens.append(f"ya29.{secrets.token_hex(16)}")
        return json.dumps(
            {"access_token": self.tokens[-1], "expires_in": self.seconds, "token_type": "Bearer"}
        ).encode()

    def knows(self, authorization: str) -> bool:
        """Says whether a header holds the newest token."""
        return bool(self.tokens) and authorization == f"Bearer {self.tokens[-1]}"
