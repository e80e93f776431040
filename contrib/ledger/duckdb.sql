-- Copyright (c) 2026 The tailgate authors
-- SPDX-License-Identifier: ISC
--
-- The ledger of tailgate, of any number of hosts, in DuckDB:
--
--	duckdb ledger.db
--	.read duckdb.sql
--	SET VARIABLE ledger = '/var/lib/tailgate/ledger.jsonl*';
--	.read duckdb_load.sql
--	.read duckdb_questions.sql
--
-- A line that is loaded again is not added again: its gateway and its number
-- identify it.  So the same files may be loaded each day.

CREATE TABLE IF NOT EXISTS ledger (
    "v" INTEGER,
    "time" TIMESTAMP,
    "id" VARCHAR,
    "client" VARCHAR,
    "session" VARCHAR,
    "trace" VARCHAR,
    "endpoint" VARCHAR,
    "model" VARCHAR,
    "route" VARCHAR,
    "provider" VARCHAR,
    "place" VARCHAR,
    "sent" BOOLEAN,
    "external" BOOLEAN,
    "private" VARCHAR,
    "tries" STRUCT(
        "provider" VARCHAR,
        "upstream_model" VARCHAR,
        "place" VARCHAR,
        "host" VARCHAR,
        "allowed_by" VARCHAR,
        "key" BIGINT,
        "outcome" VARCHAR,
        "sent" BOOLEAN,
        "bytes_sent" BIGINT,
        "usage" VARCHAR,
        "input" BIGINT,
        "cached" BIGINT,
        "cache_write" BIGINT,
        "output" BIGINT,
        "reasoning" BIGINT,
        "characters" BIGINT,
        "audio_ms" BIGINT,
        "images" BIGINT,
        "cost_nanousd" BIGINT,
        "first_byte_ms" BIGINT,
        "at_ms" BIGINT,
        "queue_ms" BIGINT,
        "wake_ms" BIGINT,
        "ms" BIGINT)[],
    "fallback" VARCHAR,
    "bridge" VARCHAR,
    "stream" BOOLEAN,
    "status" INTEGER,
    "refusal" VARCHAR,
    "client_gone" BOOLEAN,
    "cut" BOOLEAN,
    "bytes_in" BIGINT,
    "bytes_out" BIGINT,
    "bytes_sent" BIGINT,
    "usage" VARCHAR,
    "input" BIGINT,
    "cached" BIGINT,
    "cache_write" BIGINT,
    "output" BIGINT,
    "reasoning" BIGINT,
    "characters" BIGINT,
    "audio_ms" BIGINT,
    "images" BIGINT,
    "cost_nanousd" BIGINT,
    "queue_ms" BIGINT,
    "first_byte_ms" BIGINT,
    "total_ms" BIGINT,
    "gap" BOOLEAN,
    "until" TIMESTAMP,
    "lost" BIGINT,
    "lost_external" BIGINT,
    "gateway" VARCHAR,
    "n" BIGINT,
    "prev" VARCHAR,
    PRIMARY KEY (gateway, n)
);

-- Requests, without the lines that tell of gaps.  hops: through how many
-- gateways it came before this one.
CREATE OR REPLACE VIEW requests AS
SELECT * EXCLUDE (tries, gap, "until", lost, lost_external),
    length(client) - length(replace(client, '/', '')) AS hops
FROM ledger WHERE id IS NOT NULL;

-- Each request once: where the client asked.  The gateways that it was handed
-- on to have it under the same id.
CREATE OR REPLACE VIEW requests_once AS
SELECT * FROM requests
QUALIFY coalesce(hops, 0) = min(coalesce(hops, 0)) OVER (PARTITION BY id);

CREATE OR REPLACE VIEW tries AS
SELECT gateway, n, id, "time", client, route, unnest(tries, recursive := true)
FROM ledger WHERE tries IS NOT NULL;

CREATE OR REPLACE VIEW gaps AS
SELECT gateway, n, "time", "until", lost, lost_external
FROM ledger WHERE gap;
