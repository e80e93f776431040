-- Copyright (c) 2026 The tailgate authors
-- SPDX-License-Identifier: ISC
--
-- Ten questions to the ledger of all hosts (postgresql.sql).  Money is in billionths
-- of a US dollar.

-- 1. What did each client cost in each month?
SELECT client, to_char("time" AT TIME ZONE 'UTC', 'YYYY-MM') AS month,
    sum(coalesce(cost_nanousd, 0)) AS nanousd
FROM requests_once GROUP BY 1, 2 ORDER BY month, nanousd DESC;

-- 2. How much stayed on the own network?
SELECT to_char("time" AT TIME ZONE 'UTC', 'YYYY-MM') AS month, count(*) AS requests,
    count(*) FILTER (WHERE NOT coalesce(external, false)) AS stayed
FROM requests_once WHERE sent GROUP BY 1 ORDER BY month;

-- 3. How long does each provider take to its first byte (p95)?
SELECT provider, count(*) AS responses,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY first_byte_ms) AS p95_ms
FROM tries WHERE sent AND first_byte_ms IS NOT NULL
GROUP BY provider ORDER BY p95_ms DESC;

-- 4. What failed, and why?
SELECT coalesce(refusal, status::text) AS reason, count(*) AS requests
FROM requests_once WHERE status >= 400
GROUP BY 1 ORDER BY requests DESC;

-- 5. What left, to which host?
SELECT host, count(*) AS tries, sum(bytes_sent) AS bytes
FROM tries WHERE sent AND place = 'external'
GROUP BY host ORDER BY bytes DESC;

-- 6. Which tokens are reported, which are estimates?
SELECT provider, usage, count(*) AS tries,
    sum(coalesce(input, 0) + coalesce(output, 0)) AS tokens
FROM tries WHERE sent GROUP BY 1, 2 ORDER BY provider, usage;

-- 7. Which model was used, day by day?
SELECT to_char("time" AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, route,
    count(*) AS requests, sum(input + output) AS tokens
FROM requests_once GROUP BY 1, 2 ORDER BY day, tokens DESC;

-- 8. How long do requests wait for a slot, on each host (p95)?
SELECT gateway, count(*) AS requests,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY queue_ms) AS p95_ms
FROM requests WHERE queue_ms IS NOT NULL
GROUP BY gateway ORDER BY p95_ms DESC;

-- 9. Where did requests fall back from and to, and why?
SELECT r.fallback, t.provider AS first_tried, r.provider AS ended_at,
    count(*) AS requests
FROM requests_once r JOIN tries t USING (gateway, n)
WHERE r.fallback IS NOT NULL AND t.try = 1
GROUP BY 1, 2, 3 ORDER BY requests DESC;

-- 10. What is missing: requests without a line, and costs without a price?
SELECT gateway, sum(lost) AS lost, sum(unpriced) AS unpriced FROM (
    SELECT gateway, lost, 0 AS unpriced FROM gaps
    UNION ALL
    SELECT gateway, 0, 1 FROM tries
    WHERE sent AND place = 'external' AND cost_nanousd IS NULL) m
GROUP BY gateway ORDER BY gateway;
