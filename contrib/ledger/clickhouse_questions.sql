-- Copyright (c) 2026 The tailgate authors
-- SPDX-License-Identifier: ISC
--
-- Ten questions to the ledger of all hosts (clickhouse.sql).  Money is in billionths
-- of a US dollar.

-- 1. What did each client cost in each month?
SELECT client, formatDateTime(time, '%Y-%m') AS month,
    sum(coalesce(cost_nanousd, 0)) AS nanousd
FROM requests_once GROUP BY client, month ORDER BY month, nanousd DESC;

-- 2. How much stayed on the own network?
SELECT formatDateTime(time, '%Y-%m') AS month, count() AS requests,
    countIf(NOT external) AS stayed
FROM requests_once WHERE sent GROUP BY month ORDER BY month;

-- 3. How long does each provider take to its first byte (p95)?
SELECT provider, count() AS responses,
    arraySort(groupArray(first_byte_ms))[intDiv(95 * count() + 99, 100)] AS p95_ms
FROM tries WHERE sent AND first_byte_ms IS NOT NULL
GROUP BY provider ORDER BY p95_ms DESC;

-- 4. What failed, and why?
SELECT coalesce(refusal, toString(status)) AS reason, count() AS requests
FROM requests_once WHERE status >= 400
GROUP BY reason ORDER BY requests DESC;

-- 5. What left, to which host?
SELECT host, count() AS tries, sum(bytes_sent) AS bytes
FROM tries WHERE sent AND place = 'external'
GROUP BY host ORDER BY bytes DESC;

-- 6. Which tokens are reported, which are estimates?
SELECT provider, usage, count() AS tries,
    sum(coalesce(input, 0) + coalesce(output, 0)) AS tokens
FROM tries WHERE sent GROUP BY provider, usage ORDER BY provider, usage;

-- 7. Which model was used, day by day?
SELECT formatDateTime(time, '%Y-%m-%d') AS day, route, count() AS requests,
    sum(input + output) AS tokens
FROM requests_once GROUP BY day, route ORDER BY day, tokens DESC;

-- 8. How long do requests wait for a slot, on each host (p95)?
SELECT gateway, count() AS requests,
    arraySort(groupArray(queue_ms))[intDiv(95 * count() + 99, 100)] AS p95_ms
FROM requests WHERE queue_ms IS NOT NULL
GROUP BY gateway ORDER BY p95_ms DESC;

-- 9. Where did requests fall back from and to, and why?
SELECT fallback, first_tried, provider AS ended_at, count() AS requests
FROM requests_once r INNER JOIN (
    SELECT gateway, n, provider AS first_tried FROM tries
    WHERE position = 1) t ON r.gateway = t.gateway AND r.n = t.n
WHERE fallback IS NOT NULL
GROUP BY fallback, first_tried, ended_at ORDER BY requests DESC;

-- 10. What is missing: requests without a line, and costs without a price?
SELECT gateway, sum(lost) AS lost, sum(unpriced) AS unpriced FROM (
    SELECT gateway, lost, 0 AS unpriced FROM gaps
    UNION ALL
    SELECT gateway, 0 AS lost, 1 AS unpriced FROM tries
    WHERE sent AND place = 'external' AND cost_nanousd IS NULL)
GROUP BY gateway ORDER BY gateway;
