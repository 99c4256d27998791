"""The portal's Lambda authorizer: keys, plans and revocation for APIs whose type knows none of them.

    function   what runs in the account: one file, no dependencies
    package    its code with the table of keys, as a zip
    table      what the table says, by what is desired and what is there
    deploy     how it comes into the account, is brought up to date, and goes

The table is part of the code. Environment variables hold 4 KB, and all that holds more (S3, DynamoDB, Secrets Manager)
asks for rights in the account that nothing else of the portal needs, and for a read at each call or a cache, by which
a revoked key would go on. A zip holds 50 MB: some 600,000 keys. To replace it is one call, after which
GetFunctionConfiguration proves by the digest of the zip which keys are let in. What that costs: each change of a key
starts the function anew, so that the next call of each running copy takes some hundred milliseconds longer.
"""
