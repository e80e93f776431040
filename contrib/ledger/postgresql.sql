-- Copyright (c) 2026 The tailgate authors
-- SPDX-License-Identifier: ISC
--
-- The ledger of tailgate, of any number of hosts, in PostgreSQL 13 or later:
--
--	psql -d tailgate -f postgresql.sql
--
-- Lines come in through the view ledger_in, from psql:
--
--	\copy ledger_in (line) from 'ledger.jsonl' with (format csv, quote e'\x01', delimiter e'\x02')
--
-- or from rsyslog (rsyslog.conf here).  A line that is loaded again is not
-- added again: its gateway and its number identify it.
--
-- Each line is kept as it was written, so a host's chain can be verified here:
--
--	psql -d tailgate -At -c "SELECT line FROM ledger WHERE gateway = 'one'
--	    ORDER BY n" >one.jsonl && tailgate usage --verify one.jsonl

CREATE TABLE IF NOT EXISTS ledger (
    gateway text NOT NULL,
    n bigint NOT NULL,
    "time" timestamptz NOT NULL,
    line json NOT NULL,
    PRIMARY KEY (gateway, n)
);
CREATE INDEX IF NOT EXISTS ledger_time ON ledger ("time");
CREATE INDEX IF NOT EXISTS ledger_id ON ledger ((line->>'id'));

CREATE OR REPLACE VIEW ledger_in AS SELECT NULL::text AS line WHERE false;

CREATE OR REPLACE FUNCTION ledger_take() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    j jsonb := NEW.line::jsonb;
BEGIN
    -- Of before hosts had a name, and torn lines, nothing can be told.
    IF j ? 'gateway' AND j ? 'n' THEN
        INSERT INTO ledger VALUES (j->>'gateway', (j->>'n')::bigint,
            (j->>'time')::timestamptz, NEW.line::json)
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER ledger_take INSTEAD OF INSERT ON ledger_in
FOR EACH ROW EXECUTE FUNCTION ledger_take();

-- Requests, without the lines that tell of gaps.  hops: through how many
-- gateways it came before this one.
CREATE OR REPLACE VIEW requests AS
SELECT gateway, n, "time",
    line->>'id' AS "id",
    line->>'client' AS "client",
    line->>'session' AS "session",
    line->>'trace' AS "trace",
    line->>'endpoint' AS "endpoint",
    line->>'model' AS "model",
    line->>'route' AS "route",
    line->>'provider' AS "provider",
    line->>'place' AS "place",
    (line->>'sent')::boolean AS "sent",
    (line->>'external')::boolean AS "external",
    line->>'private' AS "private",
    line->>'fallback' AS "fallback",
    line->>'bridge' AS "bridge",
    (line->>'stream')::boolean AS "stream",
    (line->>'status')::integer AS "status",
    line->>'refusal' AS "refusal",
    (line->>'client_gone')::boolean AS "client_gone",
    (line->>'cut')::boolean AS "cut",
    (line->>'bytes_in')::bigint AS "bytes_in",
    (line->>'bytes_out')::bigint AS "bytes_out",
    (line->>'bytes_sent')::bigint AS "bytes_sent",
    line->>'usage' AS "usage",
    (line->>'input')::bigint AS "input",
    (line->>'cached')::bigint AS "cached",
    (line->>'cache_write')::bigint AS "cache_write",
    (line->>'output')::bigint AS "output",
    (line->>'reasoning')::bigint AS "reasoning",
    (line->>'characters')::bigint AS "characters",
    (line->>'audio_ms')::bigint AS "audio_ms",
    (line->>'images')::bigint AS "images",
    (line->>'cost_nanousd')::bigint AS "cost_nanousd",
    (line->>'queue_ms')::bigint AS "queue_ms",
    (line->>'first_byte_ms')::bigint AS "first_byte_ms",
    (line->>'total_ms')::bigint AS "total_ms",
    length(line->>'client') - length(replace(line->>'client', '/', '')) AS hops
FROM ledger WHERE line->>'id' IS NOT NULL;

-- Each request once: where the client asked.  The gateways that it was handed
-- on to have it under the same id.
CREATE OR REPLACE VIEW requests_once AS
SELECT * FROM (
    SELECT *, min(coalesce(hops, 0)) OVER (PARTITION BY id) AS fewest
    FROM requests) r
WHERE coalesce(hops, 0) = fewest;

CREATE OR REPLACE VIEW tries AS
SELECT gateway, n, i AS try, line->>'id' AS id, "time",
    line->>'client' AS client, line->>'route' AS route,
    t->>'provider' AS "provider",
    t->>'upstream_model' AS "upstream_model",
    t->>'place' AS "place",
    t->>'host' AS "host",
    t->>'allowed_by' AS "allowed_by",
    (t->>'key')::bigint AS "key",
    t->>'outcome' AS "outcome",
    (t->>'sent')::boolean AS "sent",
    (t->>'bytes_sent')::bigint AS "bytes_sent",
    t->>'usage' AS "usage",
    (t->>'input')::bigint AS "input",
    (t->>'cached')::bigint AS "cached",
    (t->>'cache_write')::bigint AS "cache_write",
    (t->>'output')::bigint AS "output",
    (t->>'reasoning')::bigint AS "reasoning",
    (t->>'characters')::bigint AS "characters",
    (t->>'audio_ms')::bigint AS "audio_ms",
    (t->>'images')::bigint AS "images",
    (t->>'cost_nanousd')::bigint AS "cost_nanousd",
    (t->>'first_byte_ms')::bigint AS "first_byte_ms",
    (t->>'at_ms')::bigint AS "at_ms",
    (t->>'queue_ms')::bigint AS "queue_ms",
    (t->>'wake_ms')::bigint AS "wake_ms",
    (t->>'ms')::bigint AS "ms"
FROM ledger, json_array_elements(line->'tries') WITH ORDINALITY AS x (t, i);

CREATE OR REPLACE VIEW gaps AS
SELECT gateway, n, "time", (line->>'until')::timestamptz AS "until",
    (line->>'lost')::bigint AS lost,
    (line->>'lost_external')::bigint AS lost_external
FROM ledger WHERE (line->>'gap')::boolean;
