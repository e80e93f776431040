-- Copyright (c) 2026 The tailgate authors
-- SPDX-License-Identifier: ISC
--
-- Ten questions to the ledger of all hosts (duckdb.sql).  Money is in billionths
-- of a US dollar.

-- 1. What did each client cost in each month?
SELECT client, strftime("time", '%Y-%m') AS month,
    sum(coalesce(cost_nanousd, 0)) AS nanousd
FROM requests_once GROUP BY ALL ORDER BY month, nanousd DESC;

-- 2. How much stayed on the own network?
SELECT strftime("time", '%Y-%m') AS month, count(*) AS requests,
    count(*) FILTER (NOT coalesce(external, false)) AS stayed
FROM requests_once WHERE sent GROUP BY ALL ORDER BY month;

-- 3. How long does each provider take to its first byte (p95)?
SELECT provider, count(*) AS responses,
    list_sort(list(first_byte_ms))[(95 * count(*) + 99) // 100] AS p95_ms
FROM tries WHERE sent AND first_byte_ms IS NOT NULL
GROUP BY provider ORDER BY p95_ms DESC;

-- 4. What failed, and why?
SELECT coalesce(refusal, status::VARCHAR) AS reason, count(*) AS requests
FROM requests_once WHERE status >= 400
GROUP BY ALL ORDER BY requests DESC;

-- 5. What left, to which host?
SELECT host, count(*) AS tries, sum(bytes_sent) AS bytes
FROM tries WHERE sent AND place = 'external'
GROUP BY host ORDER BY bytes DESC;

-- 6. Which tokens are reported, which are estimates?
SELECT provider, usage, count(*) AS tries,
    sum(coalesce(input, 0) + coalesce(output, 0)) AS tokens
FROM tries WHERE sent GROUP BY ALL ORDER BY provider, usage;

-- 7. Which model was used, day by day?
SELECT strftime("time", '%Y-%m-%d') AS day, route, count(*) AS requests,
    sum(input + output) AS tokens
FROM requests_once GROUP BY ALL ORDER BY day, tokens DESC;

-- 8. How long do requests wait for a slot, on each host (p95)?
SELECT gateway, count(*) AS requests,
    list_sort(list(queue_ms))[(95 * count(*) + 99) // 100] AS p95_ms
FROM requests WHERE queue_ms IS NOT NULL
GROUP BY gateway ORDER BY p95_ms DESC;

-- 9. Where did requests fall back from and to, and why?
SELECT r.fallback, t.provider AS first_tried, r.provider AS ended_at,
    count(*) AS requests
FROM requests_once r JOIN (
    SELECT gateway, n, tries[1].provider AS provider FROM ledger) t
    USING (gateway, n)
WHERE r.fallback IS NOT NULL GROUP BY ALL ORDER BY requests DESC;

-- 10. What is missing: requests without a line, and costs without a price?
SELECT gateway, sum(lost)::BIGINT AS lost, sum(unpriced)::BIGINT AS unpriced FROM (
    SELECT gateway, lost, 0 AS unpriced FROM gaps
    UNION ALL
    SELECT gateway, 0, 1 FROM tries
    WHERE sent AND place = 'external' AND cost_nanousd IS NULL)
GROUP BY gateway ORDER BY gateway;
