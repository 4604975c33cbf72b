-- A database of schema version 1 with a row in most tables, as `.dump` writes it. Never to be changed.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT;
INSERT INTO meta VALUES('schema',1);
INSERT INTO meta VALUES('epoch',1);
CREATE TABLE accounts (
        id TEXT NOT NULL PRIMARY KEY,
        body TEXT NOT NULL
    ) WITHOUT ROWID, STRICT;
INSERT INTO accounts VALUES('main','{"id":"main","time_zone":"UTC","locale":"en","retention_days":30,"rate":{"per_second":100,"burst":500}}');
CREATE TABLE keys (
        id TEXT NOT NULL PRIMARY KEY,
        account TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        body TEXT NOT NULL
    ) WITHOUT ROWID, STRICT;
INSERT INTO keys VALUES('abcd1234','main',1767225600000,'{"id":"key_abcd1234","account":"main","hash":"0000000000000000000000000000000000000000000000000000000000000000","scopes":["send","read","manage","operate"],"created_at":"2026-01-01T00:00:00Z"}');
CREATE TABLE registrations (
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        is_default INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (account, name)
    ) WITHOUT ROWID, STRICT;
INSERT INTO registrations VALUES('main','phone',1,1,'{"account":"main","name":"phone","channel":"probe","params":{},"groups":["ops"],"enabled":true,"default":true,"serves":"one","version":1,"created_at":"1970-01-01T00:00:00Z","updated_at":"1970-01-01T00:00:00Z"}');
CREATE TABLE registration_groups (
        account TEXT NOT NULL,
        member_of TEXT NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (account, member_of, name)
    ) WITHOUT ROWID, STRICT;
INSERT INTO registration_groups VALUES('main','ops','phone');
CREATE TABLE secrets (
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        params TEXT NOT NULL,
        PRIMARY KEY (account, name)
    ) WITHOUT ROWID, STRICT;
INSERT INTO secrets VALUES('main','phone','{"url":"https://example.org/hook"}');
CREATE TABLE events (
        account TEXT NOT NULL,
        id BLOB NOT NULL,
        body TEXT NOT NULL,
        plan TEXT NOT NULL,
        PRIMARY KEY (account, id)
    ) WITHOUT ROWID, STRICT;
INSERT INTO events VALUES('main',X'019b76daa8005cc1beeb8da1658eec67','{"id":"evt_01kdvdna00bk0vxtwdm5jrxv37","account":"main","source":"default","trigger":"auto","message":"first","format":"text","accepted_at":"2026-01-01T00:00:00Z"}','{"deliveries":[{"registration":"phone","channel":"probe"},{"registration":"desk","channel":"probe"}]}');
INSERT INTO events VALUES('main',X'019b76daabe8555e71c18690ee42c90b','{"id":"evt_01kdvdnaz8anf73gc6j3q45j8b","account":"main","source":"default","trigger":"auto","message":"second","format":"text","accepted_at":"2026-01-01T00:00:01Z"}','{"deliveries":[{"registration":"phone","channel":"probe"}]}');
CREATE TABLE deliveries (
        account TEXT NOT NULL,
        id BLOB NOT NULL,
        rare TEXT,
        body TEXT NOT NULL,
        PRIMARY KEY (account, id)
    ) WITHOUT ROWID, STRICT;
INSERT INTO deliveries VALUES('main',X'019b76daa8005cc1beeb8da1658eec67045569da57f4b7bf','failed','{"id":"dlv_01kdvdna00bk0vxtwdm5jrxv37_8nb9v9bz9dxz","account":"main","registration":"phone","channel":"probe","state":"failed","n":1,"round":0,"reason":"rejected","attempts":[],"updated_at":"2026-01-01T00:00:00Z"}');
CREATE TABLE idempotency (
        id BLOB NOT NULL PRIMARY KEY,
        event BLOB NOT NULL,
        body_hash TEXT NOT NULL,
        expires_at INTEGER NOT NULL
    ) WITHOUT ROWID, STRICT;
INSERT INTO idempotency VALUES(X'0372c811896642df34ece3bf9161abe5',X'019b76daa8005cc1beeb8da1658eec67','hash',1767312000000);
CREATE TABLE lanes (
        id INTEGER PRIMARY KEY,
        channel TEXT NOT NULL,
        account TEXT NOT NULL,
        registration TEXT NOT NULL,
        UNIQUE (channel, account, registration)
    ) STRICT;
INSERT INTO lanes VALUES(1,'probe','main','phone');
INSERT INTO lanes VALUES(2,'probe','main','desk');
CREATE TABLE queue (
        lane INTEGER NOT NULL,
        visible_at INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        delivery BLOB NOT NULL,
        n INTEGER NOT NULL,
        receives INTEGER NOT NULL,
        address TEXT,
        PRIMARY KEY (lane, visible_at, seq)
    ) WITHOUT ROWID, STRICT;
INSERT INTO queue VALUES(1,0,1099511627779,X'019b76daabe8555e71c18690ee42c90b045569da57f4b7bf',1,0,NULL);
CREATE TABLE due (
        at INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        lane INTEGER NOT NULL,
        delivery BLOB NOT NULL,
        n INTEGER NOT NULL,
        address TEXT,
        PRIMARY KEY (at, seq)
    ) WITHOUT ROWID, STRICT;
CREATE TABLE dead_letters (
        lane INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        delivery BLOB NOT NULL,
        n INTEGER NOT NULL,
        address TEXT,
        reason TEXT NOT NULL,
        PRIMARY KEY (lane, seq)
    ) WITHOUT ROWID, STRICT;
INSERT INTO dead_letters VALUES(2,1099511627778,X'019b76daa8005cc1beeb8da1658eec67049be417ad74080a',1,NULL,'dead_letter');
CREATE INDEX keys_of_account ON keys (account, created_at, id);
CREATE INDEX registrations_by_default ON registrations (account, name) WHERE is_default = 1;
CREATE INDEX deliveries_in_rare_states ON deliveries (account, rare, id) WHERE rare IS NOT NULL;
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);
COMMIT;
