/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Any bytes, searched for private patterns that use Unicode properties.  The
 * engine relies on UTF-8; anything else must count as private.
 */
#include "config.h"

#include <string.h>

#include "base/unicode.h"
#include "fuzz.h"
#include "policy/call.h"
#include "policy/layers.h"

static const struct private_rule rules[] = {
	{ .name = "word", .pattern = "omega-[0-9]{3}" },
#ifdef HAVE_PCRE2
	{ .name = "letters", .pattern = "\\p{Lu}{2,}-[0-9]{6}" },
	{ .name = "cluster", .pattern = "\\X\\x{301}z" },
#endif
};
static const struct config config = { .privates = rules,
	.nprivates = sizeof(rules) / sizeof(rules[0]),
	.private_max_bytes = 1 << 20,
	.private_max_ms = 10000 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct patterns *patterns;
	struct span text = { (const char *)data, size };
	struct pattern_run run;

	if (patterns == NULL)
		patterns = patterns_new(&config, stderr);
	pattern_begin(&run, &config, patterns);
	layers_scan(&run, text);
	if (size > 0 && !unicode_is_utf8(text))
		MUST(run.rule != NULL);
	if (size > 0 && memmem(data, size, "omega-123", 9) != NULL)
		MUST(run.rule != NULL);
	pattern_end(&run);
	return 0;
}
