"""What the portal asks for in a connected account: statements by feature, as data. No Django in here.

The same lists make the CloudFormation template (`template.py`), the table on the account's page, and the words that
say what is missing when AWS denies a call (`needed.py`).
"""
