-- Copyright (c) 2026 The tailgate authors
-- SPDX-License-Identifier: ISC
--
-- The ledger of tailgate, of any number of hosts, in ClickHouse:
--
--	clickhouse-client --multiquery < clickhouse.sql
--	clickhouse-client --date_time_input_format best_effort \
--	    -q 'INSERT INTO ledger FORMAT JSONEachRow' < ledger.jsonl
--
-- A line that is loaded again replaces itself: its gateway and its number
-- identify it.  The views read with FINAL, so that it counts once at any time.

CREATE TABLE IF NOT EXISTS ledger (
    `v` Nullable(Int32),
    `time` DateTime64(3, 'UTC'),
    `id` Nullable(String),
    `client` Nullable(String),
    `session` Nullable(String),
    `trace` Nullable(String),
    `endpoint` Nullable(String),
    `model` Nullable(String),
    `route` Nullable(String),
    `provider` Nullable(String),
    `place` Nullable(String),
    `sent` Bool,
    `external` Bool,
    `private` Nullable(String),
    `tries` Array(Tuple(
        provider Nullable(String),
        upstream_model Nullable(String),
        place Nullable(String),
        host Nullable(String),
        allowed_by Nullable(String),
        key Nullable(Int64),
        outcome Nullable(String),
        sent Bool,
        bytes_sent Nullable(Int64),
        usage Nullable(String),
        input Nullable(Int64),
        cached Nullable(Int64),
        cache_write Nullable(Int64),
        output Nullable(Int64),
        reasoning Nullable(Int64),
        characters Nullable(Int64),
        audio_ms Nullable(Int64),
        images Nullable(Int64),
        cost_nanousd Nullable(Int64),
        first_byte_ms Nullable(Int64),
        at_ms Nullable(Int64),
        queue_ms Nullable(Int64),
        wake_ms Nullable(Int64),
        ms Nullable(Int64))),
    `fallback` Nullable(String),
    `bridge` Nullable(String),
    `stream` Bool,
    `status` Nullable(Int32),
    `refusal` Nullable(String),
    `client_gone` Bool,
    `cut` Bool,
    `bytes_in` Nullable(Int64),
    `bytes_out` Nullable(Int64),
    `bytes_sent` Nullable(Int64),
    `usage` Nullable(String),
    `input` Nullable(Int64),
    `cached` Nullable(Int64),
    `cache_write` Nullable(Int64),
    `output` Nullable(Int64),
    `reasoning` Nullable(Int64),
    `characters` Nullable(Int64),
    `audio_ms` Nullable(Int64),
    `images` Nullable(Int64),
    `cost_nanousd` Nullable(Int64),
    `queue_ms` Nullable(Int64),
    `first_byte_ms` Nullable(Int64),
    `total_ms` Nullable(Int64),
    `gap` Bool,
    `until` Nullable(DateTime64(3, 'UTC')),
    `lost` Nullable(Int64),
    `lost_external` Nullable(Int64),
    `gateway` LowCardinality(String),
    `n` UInt64,
    `prev` Nullable(String)
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (gateway, n);

-- Requests, without the lines that tell of gaps.  hops: through how many
-- gateways it came before this one.
CREATE VIEW IF NOT EXISTS requests AS
SELECT * EXCEPT (tries, gap, until, lost, lost_external),
    countSubstrings(coalesce(client, ''), '/') AS hops
FROM ledger FINAL WHERE id IS NOT NULL;

-- Each request once: where the client asked.  The gateways that it was handed
-- on to have it under the same id.
CREATE VIEW IF NOT EXISTS requests_once AS
SELECT * FROM (
    SELECT *, min(hops) OVER (PARTITION BY id) AS fewest FROM requests)
WHERE hops = fewest;

CREATE VIEW IF NOT EXISTS tries AS
SELECT gateway, n, id, time, client, route, position,
    t.provider AS provider,
    t.upstream_model AS upstream_model,
    t.place AS place,
    t.host AS host,
    t.allowed_by AS allowed_by,
    t.key AS key,
    t.outcome AS outcome,
    t.sent AS sent,
    t.bytes_sent AS bytes_sent,
    t.usage AS usage,
    t.input AS input,
    t.cached AS cached,
    t.cache_write AS cache_write,
    t.output AS output,
    t.reasoning AS reasoning,
    t.characters AS characters,
    t.audio_ms AS audio_ms,
    t.images AS images,
    t.cost_nanousd AS cost_nanousd,
    t.first_byte_ms AS first_byte_ms,
    t.at_ms AS at_ms,
    t.queue_ms AS queue_ms,
    t.wake_ms AS wake_ms,
    t.ms AS ms
FROM (SELECT gateway, n, id, time, client, route, tries
    FROM ledger FINAL)
ARRAY JOIN tries AS t, arrayEnumerate(tries) AS position;

CREATE VIEW IF NOT EXISTS gaps AS
SELECT gateway, n, time, until, lost, lost_external
FROM ledger FINAL WHERE gap;
