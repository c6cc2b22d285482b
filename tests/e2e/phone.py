# SPDX-License-Identifier: ISC
"""An iPhone, as far as a mail server can tell."""
import secrets
import uuid


class Phone:
    """A device with one account: what it registers, and how it is rung."""

    def __init__(self, account=None, token=None):
        self.account = account or str(uuid.uuid4()).upper()
        self.token = token or secrets.token_hex(32).upper()
        self.path = "/3/device/" + self.token.lower()
        self.payload = '{"aps":{"account-id":"%s"}}' % self.account

    def command(self, mailboxes="(INBOX)", version=2):
        """XAPPLEPUSHSERVICE exactly as iOS writes it."""
        return ("XAPPLEPUSHSERVICE aps-version %d aps-account-id %s "
                "aps-device-token %s aps-subtopic com.apple.mobilemail"
                % (version, self.account, self.token)
                + (" mailboxes " + mailboxes if mailboxes else ""))

    def pushes(self, requests):
        """Those of the stand-in's |requests| that are for this device."""
        return [request for request in requests
                if request["path"] == self.path]
