/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * policy/call: what is found in a body, at which offset, what is refused, the
 * token estimate, private patterns and their bounds, forms.
 */
#include "config.h"

#include <ctype.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/buf.h"
#include "policy/call.h"
#include "policy/estimate.h"
#include "policy/media.h"
#include "policy/remote.h"
#include "check.h"

#define PEM                                                             \
	"-----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END RSA PRIVATE" \
	" KEY-----"

static const struct private_rule rules[] = {
	{ "keys", "-----BEGIN [A-Z ]*PRIVATE KEY-----", NULL },
	{ "code", "(alpha|omega)-[0-9]{3}", NULL },
	{ "whole", "^just this$", NULL },
	{ "name", "Z\xc3\xbcrich", NULL },
	{ "loose", "Mu\xcc\x88nster", NULL },
	{ "card", "4[0-9]{15}", NULL },
	{ "path", "/home/anna", NULL },
	{ "words", "two words", NULL },
	{ "mine", "it's mine", NULL },
#ifdef HAVE_PCRE2
	{ "letter", "\\p{Lu}{2,}-[0-9]{6}", NULL },
#endif
};
#define RULES (sizeof(rules) / sizeof(rules[0]))
static struct config config = { .privates = rules,
	.nprivates = RULES,
	.private_max_bytes = 1 << 24,
	.private_max_ms = 60000 };
static struct patterns *patterns;
static struct arena *arena;
static struct refused refused;

static struct call
parse_span(enum endpoint endpoint, struct span body, int *rc)
{
	struct call call = { .endpoint = ENDPOINT_NONE };
	char *copy = malloc(body.len + (body.len == 0));

	/* Without a terminator, so that a sanitizer sees one byte too many. */
	memcpy(copy, body.p, body.len);
	arena_reset(arena);
	*rc = call_parse_json(&config, patterns, endpoint,
	    (struct span){ copy, body.len }, arena, &call, &refused);
	free(copy);
	return call;
}

static struct call
parse_at(enum endpoint endpoint, const char *body)
{
	int rc;
	struct call call = parse_span(endpoint, span_of(body), &rc);

	if (rc != 0)
		call.model = "(refused)";
	return call;
}

static struct call
parse(const char *body)
{
	return parse_at(ENDPOINT_CHAT, body);
}

static bool
value_is(const char *body, size_t offset, size_t len, const char *want)
{
	return len == strlen(want) && strncmp(body + offset, want, len) == 0;
}

static void
test_members(void)
{
	const char *body =
	    " {\"a\":{\"model\":\"no\"}, \"model\" : \"m\\u00e9\" ,\"stream\""
	    ":true,\"stream_options\": {\"include_usage\":true},\"n\":3} ";
	struct call c = parse(body);

	CHECK_STR(c.model, "m\xc3\xa9", "the model, decoded");
	CHECK(value_is(body, c.model_offset, c.model_len, "\"m\\u00e9\"") &&
		c.model_is_json,
	    "its place in the body, quotes and all");
	CHECK(c.stream && c.asks_usage, "stream and include_usage");
	CHECK(value_is(body, c.stream_options_offset, c.stream_options_len,
		  "{\"include_usage\":true}"),
	    "the place of stream_options");
	CHECK(body[c.object_end_offset] == '}' &&
		body[c.object_end_offset + 1] == ' ',
	    "the place of the closing brace");
	CHECK(c.choices == 3, "the choices");

	c = parse("{\"model\":\"m\"}");
	CHECK(!c.stream && !c.asks_usage && c.stream_options_len == 0 &&
		c.choices == 1 && c.max_output_tokens == 0 && c.needs == 0 &&
		c.private_rule == NULL && c.input_tokens == 0,
	    "nothing said is nothing asked");
	c = parse("{\"model\":\"m\",\"stream\":null,\"n\":null,\"max_tokens\""
		  ":null,\"stream_options\":null}");
	CHECK_STR(c.model, "m", "null is as if it were not there");
	CHECK(!c.stream && c.choices == 1 && c.stream_options_len == 4,
	    "for each of them");
	c = parse("{\"str\\u0065am\":true,\"model\":\"m\"}");
	CHECK(c.stream, "stream by an escaped key is stream");
	c = parse("{\"model\":\"m\",\"stream\":false,\"stream_options\":{"
		  "\"include_usage\":false}}");
	CHECK(!c.stream && !c.asks_usage, "false is false");
	c = parse("{\"model\":\"m\",\"metadata\":{\"stream_options\":{"
		  "\"include_usage\":true},\"stream\":true,\"n\":9}}");
	CHECK(!c.stream && !c.asks_usage && c.choices == 1,
	    "only the top level counts");
}

static void
test_counts(void)
{
	struct call c;

	c = parse("{\"model\":\"m\",\"max_tokens\":7}");
	CHECK(c.max_output_tokens == 7, "max_tokens");
	c = parse("{\"model\":\"m\",\"max_completion_tokens\":8}");
	CHECK(c.max_output_tokens == 8, "max_completion_tokens");
	c = parse_at(
	    ENDPOINT_RESPONSES, "{\"model\":\"m\",\"max_output_tokens\":9}");
	CHECK(c.max_output_tokens == 9, "max_output_tokens");
	c = parse("{\"model\":\"m\",\"max_tokens\":70,\"max_tokens\":7}");
	CHECK(c.max_output_tokens == 70, "of two the larger");
	c = parse("{\"model\":\"m\",\"max_tokens\":-1}");
	CHECK(c.max_output_tokens == 0 && strcmp(c.model, "m") == 0,
	    "-1 is no bound");
	c = parse("{\"model\":\"m\",\"max_tokens\":"
		  "99999999999999999999999999999999}");
	CHECK(
	    c.max_output_tokens > UINT64_MAX / 100, "a huge number stays huge");
	c = parse("{\"model\":\"m\",\"n\":2,\"best_of\":5}");
	CHECK(c.choices == 5, "best_of generates as many");
	c = parse_at(ENDPOINT_SPEECH,
	    "{\"model\":\"m\",\"input\":\"Gr\xc3\xbc\\u00dfe!\"}");
	CHECK(c.characters == 6, "characters of speech, not bytes");
	c = parse("{\"model\":\"m\",\"input\":\"abc\"}");
	CHECK(c.characters == 0, "of nothing else");
}

static void
check_refused(
    const char *body, enum refusal want, const char *param, const char *what)
{
	int rc;

	parse_span(ENDPOINT_CHAT, span_of(body), &rc);
	CHECK(rc == -1 && refused.refusal == want, "%s (%s)", what,
	    refusal_spec(refused.refusal)->code);
	CHECK_STR(refused.param, param, "%s: param", what);
}

static void
test_refused(void)
{
	char body[600];

	check_refused("", REFUSE_INVALID_JSON, NULL, "nothing");
	check_refused("null", REFUSE_INVALID_JSON, NULL, "null");
	check_refused("\"x\"", REFUSE_INVALID_JSON, NULL, "a string");
	check_refused(
	    "[{\"model\":\"m\"}]", REFUSE_INVALID_JSON, NULL, "an array");
	check_refused("{\"model\":\"m\"", REFUSE_INVALID_JSON, NULL, "a cut");
	check_refused(
	    "{\"model\":\"m\"}}", REFUSE_INVALID_JSON, NULL, "a tail");
	check_refused("{\"model\":\"\xff\"}", REFUSE_INVALID_JSON, NULL,
	    "bytes that are no text");
	CHECK(strstr(refused.message, "byte 10") != NULL,
	    "the message says where: %s", refused.message);
	check_refused("{}", REFUSE_MISSING_MODEL, "model", "no model");
	check_refused(
	    "{\"model\":null}", REFUSE_MISSING_MODEL, "model", "a null model");
	check_refused("{\"model\":\"\"}", REFUSE_MISSING_MODEL, "model",
	    "an empty model");
	check_refused("{\"model\":7}", REFUSE_INVALID_REQUEST, "model",
	    "a number for a model");
	check_refused("{\"model\":[\"m\"]}", REFUSE_INVALID_REQUEST, "model",
	    "a list for a model");
	check_refused("{\"model\":{\"model\":\"m\"}}", REFUSE_INVALID_REQUEST,
	    "model", "an object for a model");
	check_refused("{\"model\":\"a\",\"model\":\"a\"}",
	    REFUSE_INVALID_REQUEST, "model", "two models");
	check_refused("{\"model\":\"a\",\"mod\\u0065l\":\"b\"}",
	    REFUSE_INVALID_REQUEST, "model", "a second one in disguise");
	check_refused("{\"\\u006d\\u006f\\u0064\\u0065\\u006c\":\"b\"}",
	    REFUSE_INVALID_REQUEST, "model", "one in disguise alone");
	check_refused("{\"model\":\"a\",\"Model\":\"b\"}",
	    REFUSE_INVALID_REQUEST, "model", "a second one in capitals");
	check_refused("{\"model\":\"a\",\"m\\u004fdel\":\"b\"}",
	    REFUSE_INVALID_REQUEST, "model", "in an escaped capital");
	check_refused("{\"model\":\"a\\nb\"}", REFUSE_INVALID_REQUEST, "model",
	    "a line break in the name");
	check_refused("{\"model\":\"a\\u0000\"}", REFUSE_INVALID_REQUEST,
	    "model", "a NUL in the name");
	check_refused("{\"model\":\"a\x7f\"}", REFUSE_INVALID_REQUEST, "model",
	    "a DEL in the name");
	snprintf(body, sizeof(body), "{\"model\":\"%0256d\"}", 7);
	CHECK(strlen(parse(body).model) == 256, "256 bytes are a name");
	snprintf(body, sizeof(body), "{\"model\":\"%0257d\"}", 7);
	check_refused(body, REFUSE_INVALID_REQUEST, "model", "257 are not");
	check_refused("{\"model\":\"m\",\"stream\":\"true\"}",
	    REFUSE_INVALID_REQUEST, "stream", "a string for stream");
	check_refused("{\"model\":\"m\",\"stream\":1}", REFUSE_INVALID_REQUEST,
	    "stream", "a number for stream");
	check_refused("{\"model\":\"m\",\"stream\":true,\"stream\":true}",
	    REFUSE_INVALID_REQUEST, "stream", "stream twice");
	check_refused("{\"model\":\"m\",\"stream_options\":{},"
		      "\"stream_options\":{}}",
	    REFUSE_INVALID_REQUEST, "stream_options", "stream_options twice");
	check_refused("{\"model\":\"m\",\"max_tokens\":\"7\"}",
	    REFUSE_INVALID_REQUEST, "max_tokens", "a string for a count");
	check_refused("{\"model\":\"m\",\"max_tokens\":1.5}",
	    REFUSE_INVALID_REQUEST, "max_tokens", "a fraction for a count");
	check_refused("{\"model\":\"m\",\"n\":1e9}", REFUSE_INVALID_REQUEST,
	    "n", "an exponent for a count");
}

static void
check_needs(const char *members, unsigned want, const char *what)
{
	char body[1000];

	snprintf(body, sizeof(body), "{\"model\":\"m\",%s}", members);
	CHECK(parse(body).needs == want && refused.refusal == REFUSE_NONE,
	    "needs: %s", what);
}

static void
test_needs(void)
{
	check_needs("\"messages\":[{\"content\":[{\"type\":\"text\"}]}]", 0,
	    "text needs nothing");
	check_needs("\"messages\":[{\"content\":[{\"type\":\"image_url\"}]}]",
	    CALL_IMAGES, "chat's image_url");
	check_needs("\"input\":[{\"content\":[{\"type\":\"input_image\"}]}]",
	    CALL_IMAGES, "Responses' input_image");
	check_needs("\"input\":[{\"type\":\"input_image\"}]", CALL_IMAGES,
	    "the same at the first level");
	check_needs("\"messages\":[{\"content\":[{\"type\":\"image\"}]}]",
	    CALL_IMAGES, "Anthropic's image");
	check_needs("\"system\":[{\"x\":{\"type\":\"document\"}}]", CALL_FILES,
	    "Anthropic's document, anywhere");
	check_needs("\"messages\":[{\"content\":[{\"type\":\"input_audio\"},"
		    "{\"type\":\"file\"}]}]",
	    CALL_AUDIO | CALL_FILES, "two at once");
	check_needs("\"messages\":[{\"content\":[{\"t\\u0079pe\":"
		    "\"im\\u0061ge\"}]}]",
	    CALL_IMAGES, "what escapes spell");
	check_needs("\"metadata\":[{\"content\":[{\"type\":\"image\"}]}]", 0,
	    "not outside of messages, input and system");
	check_needs("\"messages\":[{\"content\":\"type image_url\"}]", 0,
	    "not a text that speaks of it");
	check_needs("\"messages\":[{\"content\":[{\"type\":\"tool_use\","
		    "\"input\":{\"type\":\"image\"}}]}]",
	    0, "not a tool's argument");
	check_needs("\"tools\":[]", 0, "no tools");
	check_needs("\"tools\":null", 0, "null tools");
	check_needs("\"tools\":[{\"type\":\"web_search\"}]", CALL_TOOLS,
	    "tools of any kind");
	check_needs("\"functions\":[{\"name\":\"f\"}]", CALL_TOOLS,
	    "the old functions");
	check_needs("\"response_format\":{\"type\":\"json_schema\"}",
	    CALL_JSON_SCHEMA, "chat's json_schema");
	check_needs("\"response_format\":{\"type\":\"json_object\"}", 0,
	    "a JSON object without a schema");
	check_needs("\"text\":{\"format\":{\"type\":\"json_schema\"}}",
	    CALL_JSON_SCHEMA, "Responses' json_schema");
	check_needs("\"modalities\":[\"text\",\"audio\"]", CALL_AUDIO,
	    "an answer in sound");
	check_needs("\"modalities\":[\"text\"]", 0, "an answer in text");
}

/* A text, and its number of tokens in two vocabularies. */
static const struct {
	const char *what, *text;
	unsigned most, least;
} samples[] = {
	/* cl100k and o200k, as OpenAI published them ("Hello GPT-4o",
	 * May 2024). */
	{ "Gujarati",
	    "હેલો, મારું નામ જીપીટી-4o છે. હું એક નવા પ્રકારનું ભાષા મોડલ છું. "
	    "તમને મળીને સારું લાગ્યું!",
	    145, 33 },
	{ "Telugu",
	    "నమస్కారము, నా పేరు జీపీటీ-4o. నేను ఒక్క కొత్త రకమైన భాషా మోడల్ "
	    "ని. మిమ్మల్ని కలిసినందుకు సంతోషం!",
	    159, 45 },
	{ "Tamil",
	    "வணக்கம், என் பெயர் ஜிபிடி-4o. நான் ஒரு புதிய வகை மொழி மாடல். "
	    "உங்களை சந்தித்ததில் மகிழ்ச்சி!",
	    116, 35 },
	{ "Marathi",
	    "नमस्कार, माझे नाव जीपीटी-4o आहे| मी एक नवीन प्रकारची भाषा मॉडेल "
	    "आहे| तुम्हाला भेटून आनंद झाला!",
	    96, 33 },
	{ "Hindi",
	    "नमस्ते, मेरा नाम जीपीटी-4o है। मैं एक नए प्रकार का भाषा मॉडल "
	    "हूँ। आपसे मिलकर अच्छा लगा!",
	    90, 31 },
	{ "Urdu",
	    "ہیلو، میرا نام جی پی ٹی-4o ہے۔ میں ایک نئے قسم کا زبان ماڈل ہوں، "
	    "آپ سے مل کر اچھا لگا!",
	    82, 33 },
	{ "Arabic",
	    "مرحبًا، اسمي جي بي تي-4o. أنا نوع جديد من نموذج اللغة، سررت "
	    "بلقائك!",
	    53, 26 },
	{ "Persian",
	    "سلام، اسم من جی پی تی-۴او است. من یک نوع جدیدی از مدل زبانی "
	    "هستم، از ملاقات شما خوشبختم!",
	    61, 32 },
	{ "Russian",
	    "Привет, меня зовут GPT-4o. Я — новая языковая модель, приятно "
	    "познакомиться!",
	    39, 23 },
	{ "Korean",
	    "안녕하세요, 제 이름은 GPT-4o입니다. 저는 새로운 유형의 언어 "
	    "모델입니다, 만나서 반갑습니다!",
	    45, 27 },
	{ "Vietnamese",
	    "Xin chào, tên tôi là GPT-4o. Tôi là một loại mô hình ngôn ngữ "
	    "mới, rất vui được gặp bạn!",
	    46, 30 },
	{ "Chinese",
	    "你好，我的名字是GPT-4o。我是一种新型的语言模型，很高兴见到你!", 34,
	    24 },
	{ "Japanese",
	    "こんにちわ、私の名前はGPT−4oです。私は新しいタイプの言語モデルです"
	    "、初めまして",
	    37, 26 },
	{ "Turkish",
	    "Merhaba, benim adım GPT-4o. Ben yeni bir dil modeli türüyüm, "
	    "tanıştığımıza memnun oldum!",
	    39, 30 },
	{ "Italian",
	    "Ciao, mi chiamo GPT-4o. Sono un nuovo tipo di modello "
	    "linguistico, è un piacere conoscerti!",
	    34, 28 },
	{ "German",
	    "Hallo, mein Name is GPT-4o. Ich bin ein neues KI-Sprachmodell. "
	    "Es ist schön, dich kennenzulernen.",
	    34, 29 },
	{ "Spanish",
	    "Hola, me llamo GPT-4o. Soy un nuevo tipo de modelo de lenguaje, "
	    "¡es un placer conocerte!",
	    29, 26 },
	{ "Portuguese",
	    "Olá, meu nome é GPT-4o. Sou um novo tipo de modelo de linguagem, "
	    "é um prazer conhecê-lo!",
	    30, 27 },
	{ "French",
	    "Bonjour, je m'appelle GPT-4o. Je suis un nouveau type de modèle "
	    "de langage, c'est un plaisir de vous rencontrer!",
	    31, 28 },
	{ "English",
	    "Hello, my name is GPT-4o. I'm a new type of language model, it's "
	    "nice to meet you!",
	    27, 24 },
	/* Counted from the vectors of llama.cpp's tokenizer tests: the most and
	 * the least of Qwen 2, Llama 2 and Llama 3. */
	{ "Khmer", "កាន់តែពិសេសអាចខលចេញ", 44, 24 },
	{ "Bulgarian", "нещо на Български", 9, 7 },
	{ "emoji",
	    "🚀 (normal) 😶🌫️ (multiple emojis concatenated) ✅ "
	    "(only "
	    "emoji "
	    "that has its own token)",
	    40, 26 },
	{ "a mix", "Hello, y'all! How are you 😁 ?我想在apple工作1314151天～",
	    30, 21 },
	{ "gibberish", "w048 7tuijk dsdfhu", 12, 10 },
	{ "digits", "333333333", 10, 3 },
};

/* The rule, as described in estimate.c, one character after another. */
static uint64_t
by_the_rule(const char *p, size_t len)
{
	uint64_t eighths = 0;
	unsigned word = 0;

	for (size_t i = 0; i < len; i++) {
		char c = p[i], b = i == 0 ? '\0' : p[i - 1];
		bool white = c <= ' ' || c == 0x7f, first = i == 0;
		bool after_white = !first && (b <= ' ' || b == 0x7f);
		bool after_break = after_white && b != ' ';

		if (!isalpha((unsigned char)c)) {
			word = 0;
		} else {
			if (isupper((unsigned char)c) && !first &&
			    islower((unsigned char)b))
				word = 0;
			word = word % 64 + 1; /* longer words do not occur */
			eighths +=
			    word == 1 || (word > 5 && word % 3 == 0) ? 8 : 0;
		}
		if (isdigit((unsigned char)c))
			eighths += 8;
		else if (c == ' ')
			eighths += after_white;
		else if (white)
			eighths += after_break ? 1 : 8;
		else if (ispunct((unsigned char)c))
			eighths += first || !ispunct((unsigned char)b) ? 8
			    : b == c                                   ? 2
								       : 4;
	}
	return (eighths + 7) / 8;
}

static void
test_estimate_rule(void)
{
	static const char few[] = "aaaaabcZQ0 \n\t..-\x7f";
	unsigned wrong = 0;
	char text[400];

	srand(3);
	for (int n = 0; n < 40000; n++) {
		size_t len = (size_t)rand() % sizeof(text);
		bool words = rand() % 2;

		for (size_t i = 0; i < len; i++)
			text[i] = words && i % (1 + n % 40) != 0
			    ? 'x'
			    : few[(size_t)rand() % (sizeof(few) - 1)];
		wrong += estimate_tokens((struct span){ text, len }) !=
		    by_the_rule(text, len);
	}
	CHECK(wrong == 0, "many at once as one by one: %u differ", wrong);
}

/* A long text is sampled: the estimate stays near the sum of its parts. */
static void
test_long_estimate(void)
{
	static const char sentence[] =
	    "The old harbour, \xe6\xb8\xaf\xe5\x8f\xa3, has 42 boats. ";
	size_t one = sizeof(sentence) - 1, n = 3 * 1024 * 1024 / one;
	char *text = malloc(n * one);
	uint64_t parts, whole;

	for (size_t i = 0; i < n; i++)
		memcpy(text + i * one, sentence, one);
	parts = estimate_tokens((struct span){ text, 1000 * one }) * n / 1000;
	whole = estimate_tokens((struct span){ text, n * one });
	CHECK(whole > parts * 98 / 100 && whole < parts * 102 / 100,
	    "3 MiB: %llu tokens, by parts %llu", (unsigned long long)whole,
	    (unsigned long long)parts);
	free(text);
}

/* A conversation of many texts, in the order of `kinds`.  The sampled estimate
 * stays near the sum over all texts. */
static void
check_estimate_sum(const char *what, const char *kinds, size_t most)
{
	static const char *const sentences[] = {
		"The old harbour has a lighthouse and some boats. ",
		"\xe6\xb8\xaf\xe5\x8f\xa3\xe6\x9c\x89\xe4\xb8\x80\xe5\xba\xa7"
		"\xe7\x81\xaf\xe5\xa1\x94\xe5\x92\x8c\xe5\xb0\x8f\xe8\x88\xb9",
		"if (a[i] != 0x7f && n++ < 100) { return -1; }\n\t",
	};
	struct estimate_sum sum = { 0 };
	uint64_t all = 0, got;
	uint32_t seed = 7;
	size_t bytes = 0;

	for (size_t i = 0; bytes < (size_t)2 << 20; i++) {
		/* One kind after another in blocks, or alternating. */
		size_t nkinds = strlen(kinds), one, n = 0;
		size_t at = most == 0 ? bytes * nkinds >> 21 : i % nkinds;
		const char *sentence = sentences[kinds[at] - '0'];
		char text[8192];

		seed = seed * 1664525 + 1013904223;
		one = strlen(sentence);
		while (n + one < 20 + (seed >> 8) % (most == 0 ? 2000 : most)) {
			memcpy(text + n, sentence, one);
			n += one;
		}
		all += estimate_tokens((struct span){ text, n });
		estimate_add(&sum, (struct span){ text, n });
		bytes += n + 1;
	}
	got = estimate_total(&sum);
	CHECK(got > all * 93 / 100 && got < all * 107 / 100,
	    "%s: %" PRIu64 " tokens, counted %" PRIu64, what, got, all);
}

static void
test_estimate_sum(void)
{
	struct estimate_sum sum = { 0 };

	CHECK(estimate_total(&sum) == 0, "no text is no token");
	estimate_add(&sum, span_of("a"));
	estimate_add(&sum, span_of(""));
	estimate_add(&sum, span_of("b"));
	CHECK(estimate_total(&sum) == 2, "few texts are counted one by one");
	check_estimate_sum("one kind of text", "0", 1000);
	check_estimate_sum("in turns", "012", 1000);
	check_estimate_sum("in turns of eight", "00000001", 600);
	check_estimate_sum("long texts in turns", "02", 8000);
	check_estimate_sum("one kind after another", "0121", 0);
}

static void
test_estimate(void)
{
	size_t i;
	uint64_t n;

	for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		n = estimate_tokens(span_of(samples[i].text));
		CHECK(n * 10 >= samples[i].most * 7 - 4 &&
			n >= samples[i].least - 3,
		    "%s: %" PRIu64 " is not far under %u and %u",
		    samples[i].what, n, samples[i].least, samples[i].most);
		CHECK(n <= samples[i].most + samples[i].most / 3,
		    "%s: nor far over", samples[i].what);
	}
	test_estimate_rule();
	test_long_estimate();
	test_estimate_sum();
	CHECK(estimate_tokens(span_of("")) == 0, "nothing is no token");
	CHECK(estimate_tokens(span_of("a")) == 1, "a letter is one");
	CHECK(estimate_tokens((struct span){ "\xc3", 1 }) > 0 &&
		estimate_tokens((struct span){ "\xf0\x9f", 2 }) > 0 &&
		estimate_tokens((struct span){ "\xff\x80", 2 }) > 0,
	    "broken UTF-8 is counted, not followed");
}

static uint64_t
tokens(const char *members)
{
	static char body[20000];

	snprintf(body, sizeof(body), "{\"model\":\"m\",%s}", members);
	return parse(body).input_tokens;
}

static void
test_tokens(void)
{
	char blob[4096], body[8192];
	uint64_t one;

	one = tokens("\"messages\":[{\"content\":\"one two three\"}]");
	CHECK(one >= 7 && one <= 8, "a message: its words and a frame");
	CHECK(tokens("\"messages\":[{\"content\":\"\\u006fne\\ntwo\"}]") >= 6,
	    "what escapes spell is counted decoded");
	CHECK(tokens("\"user\":\"one two three\"") == 0,
	    "what is not part of the prompt is not");
	CHECK(tokens("\"instructions\":\"one two three\"") == 3 &&
		tokens("\"prompt\":\"one two three\"") == 3 &&
		tokens("\"system\":\"one two three\"") == 3 &&
		tokens("\"input\":\"one two three\"") == 3 &&
		tokens("\"query\":\"one two three\"") == 3 &&
		tokens("\"documents\":[\"one\",\"two three\"]") == 3,
	    "each place where a prompt can be");
	CHECK(tokens("\"tools\":[{\"name\":\"fetch\",\"description\":\"get "
		     "it\"}]") >= 8,
	    "tools: names, texts, keys");
	CHECK(tokens("\"prompt\":[1,2,3,4]") == 4, "an array of tokens");
	CHECK(
	    tokens("\"messages\":[{\"content\":[{\"type\":\"image_url\"}]}]") >=
		1000,
	    "a picture has its fixed number");

	memset(blob, 'A', sizeof(blob) - 1);
	blob[sizeof(blob) - 1] = '\0';
	snprintf(body, sizeof(body),
	    "\"messages\":[{\"content\":[{\"image_url\":{\"url\":"
	    "\"data:image/png;base64,%s\"}}]}]",
	    blob);
	CHECK(tokens(body) < 10, "and not that of its base64");
	snprintf(body, sizeof(body),
	    "\"messages\":[{\"content\":[{\"source\":{\"data\":\"%s\"}}]}]",
	    blob);
	CHECK(tokens(body) < 10, "nor of Anthropic's");
	snprintf(body, sizeof(body),
	    "\"messages\":[{\"content\":[{\"input_audio\":{\"data\":\"%s\"}}]}"
	    "]",
	    blob);
	CHECK(tokens(body) >= 6 && tokens(body) < 30,
	    "sound counts by its length");
	snprintf(
	    body, sizeof(body), "\"messages\":[{\"content\":\"%s\"}]", blob);
	CHECK(tokens(body) > 1000, "the same as text counts as text");
}

static const char *private(const char *members)
{
	static char body[70000];

	snprintf(body, sizeof(body), "{\"model\":\"m\",%s}", members);
	return parse(body).private_rule;
}

static void
test_private(void)
{
	CHECK(private("\"messages\":[{\"content\":\"hello\"}]") == NULL,
	    "nothing private");
	CHECK_STR(private("\"messages\":[{\"content\":\"" PEM "\"}]"), "keys",
	    "a key in a message");
	CHECK_STR(private("\"x\":{\"y\":[1,{\"z\":\"" PEM "\"}]}"), "keys",
	    "anywhere at all");
	CHECK_STR(private("\"x\":{\"omega-123\":1}"), "code", "in a key");
	CHECK_STR(private("\"\\u006fmega-123\":1"), "code",
	    "in an escaped key of the top level");
	CHECK_STR(private("\"x\":\"om\\u0065ga\\u002d123\""), "code",
	    "behind escapes");
	CHECK_STR(
	    private("\"x\":\"Z\\u00fcrich\""), "name", "beyond ASCII, escaped");
	CHECK_STR(private("\"x\":\"in Z\xc3\xbcrich now\""), "name",
	    "beyond ASCII, as it is");
	CHECK_STR(
	    private("\"x\":\"just this\""), "whole", "an anchored text alone");
	CHECK(private("\"x\":\"not just this\"") == NULL, "and not within");
	CHECK(private("\"x\":\"omega-\",\"y\":\"123\"") == NULL,
	    "two strings are two texts");
	CHECK_STR(private("\"model\":\"omega-123\""), NULL,
	    "a second model is refused before it is searched");
	CHECK_STR(private("\"x\":\"\\u0000omega-123\""), "code",
	    "a NUL hides nothing");
	CHECK_STR(private("\"x\":\"\\ud800omega-123\""), "code",
	    "nor does half a character");
	CHECK_STR(private("\"x\":\"in Zu\xcc\x88rich\""), "name",
	    "an accent as a character of its own");
	CHECK_STR(private("\"x\":\"Zu\\u0308rich\""), "name", "or escaped");
	CHECK_STR(private("\"x\":\"M\xc3\xbcnster\""), "loose",
	    "a pattern that is written so");
	CHECK_STR(private("\"x\":\"Mu\xcc\x88nster\""), "loose",
	    "against a text of the same kind");
	CHECK_STR(private("\"x\":\"omega-123\",\"y\":\"" PEM "\""), "code",
	    "the first one is named");
}

static void
test_files(void)
{
	CHECK_STR(private("\"f\":\"data:text/plain;base64,b21lZ2EtMTIz\""),
	    "code", "text inside base64 is read");
	CHECK_STR(private("\"f\":\"DATA:text/plain;charset=utf-8;BASE64,"
			  "b21lZ2EtMTIz\""),
	    "code", "however its URL is spelled");
	CHECK(private("\"f\":\"data:text/plain;base64,aGVsbG8=\"") == NULL,
	    "and may be harmless");
	CHECK_STR(private("\"f\":\"data:application/pdf;base64,JVBERi0xLjQK"
			  "/v8=\""),
	    "unreadable file", "what is no text cannot be read");
	CHECK_STR(private("\"f\":\"data:image/png;base64,b21lZ2EtMTIz\""),
	    "code", "a picture that is text is read");
	CHECK(private("\"f\":\"data:image/png;base64,iVBORw0KGgo=\"") == NULL,
	    "one that is none is not looked into");
	CHECK_STR(private("\"f\":\"data:image/png;base64,JVBERi0xLjQK/v8=\""),
	    "unreadable file", "a document that is called a picture");
	CHECK_STR(private("\"f\":\"data:image/svg+xml;base64,b21lZ2EtMTIz\""),
	    "code", "but a drawing that is text is");
	CHECK_STR(private("\"f\":\"data:image/png;base64,omega-123 x\""),
	    "code", "what is not base64 is text, whatever it says it is");
	CHECK_STR(private("\"f\":\"data:text/plain,omega-123\""), "code",
	    "a data URL without base64 is text");
	CHECK_STR(private("\"source\":{\"type\":\"text\",\"data\":"
			  "\"omega-123\"}"),
	    "code", "Anthropic's plain text documents are text");
}

static void
test_media(void)
{
	char out[64];
	size_t all;
	struct media_found f;

	f = media_find(span_of("data:;base64,AA=="), false);
	CHECK(f.media == MEDIA_FILE && span_is(f.base64, "AA==") &&
		span_is(f.head, "data:;base64"),
	    "a data URL without a type");
	CHECK(media_find(span_of("data:,x"), false).media == MEDIA_NONE,
	    "one without base64");
	CHECK(media_find(span_of("data:"), false).media == MEDIA_NONE,
	    "one that is cut");
	CHECK(media_text_prefix(span_of("aGVsbG8"), out, &all) == 5 &&
		memcmp(out, "hello", 5) == 0,
	    "base64 without padding");
	CHECK(media_text_prefix(span_of("aGVs\r\nbG8="), out, &all) == 5,
	    "over line breaks");
	CHECK(media_text_prefix(span_of(""), out, &all) == 0, "nothing");
	CHECK(media_text_prefix(span_of("AAAA"), out, &all) == 0,
	    "NULs are no text");
	CHECK(
	    media_text_prefix(span_of("/w=="), out, &all) == 0, "0xff is none");
}

/* The places that can hide a text: each holds omega-123, or bytes that nobody
 * reads. */
static void
test_layers(void)
{
	static const struct {
		const char *what, *member, *rule;
	} rows[] = {
		{ "a number", "\"x\":4111111111111111", "card" },
		{ "one in an array", "\"x\":[1,4111111111111111]", "card" },
		{ "short base64", "\"x\":\"b21lZ2EtMTIz\"", "code" },
		{ "within words", "\"x\":\"see b21lZ2EtMTIz.\"", "code" },
		{ "in a path", "\"x\":\"https://h/p/b21lZ2EtMTIz\"", "code" },
		{ "of the other alphabet", "\"x\":\"fn5-b21lZ2EtMTIzfn5-\"",
		    "code" },
		{ "on lines", "\"x\":\"b21l\\nZ2Et\\r\\nMTIz\"", "code" },
		{ "on lines of a mail",
		    "\"x\":\"Body:\\n\\nYWFhYWFhYWFhYWFhYWFh\\nYWFhYWFhIG9tZWdh"
		    "LTEy\\nMyBhYWFhYWE=\"",
		    "code" },
		{ "in base64 twice", "\"x\":\"YjIxbFoyRXRNVEl6\"", "code" },
		{ "a data URL with percent signs",
		    "\"x\":\"data:text/plain,omega%2d123\"", "code" },
		{ "and with base64",
		    "\"x\":\"data:text/plain;base64,b21lZ2EtMTIz%0A\"",
		    "code" },
		{ "a blank in it",
		    "\"x\":\" data:text/plain; base64,b21lZ2EtMTIz\"", "code" },
		{ "its name",
		    "\"x\":\"data:image/png;name=omega-123;base64,iVBORw0KGgo"
		    "=\"",
		    "code" },
		{ "a document with percent signs",
		    "\"x\":\"data:application/pdf,%25PDF-1%0a%ff%fe\"",
		    "unreadable file" },
		{ "JSON in a string",
		    "\"x\":\"{\\\"a\\\":\\\"omega\\\\u002d123\\\"}\"", "code" },
		{ "the same twice",
		    "\"x\":\"[\\\"{\\\\\\\"omega\\\\\\\\u002d123\\\\\\\":1}"
		    "\\\"]\"",
		    "code" },
		{ "Python's own", "\"x\":\"print('omega\\\\x2d123')\"",
		    "code" },
		{ "a file in a page",
		    "\"x\":\"<a href='data:application/zip;base64,UEsDBP//////"
		    "////////////////////////////////////////////////////////'"
		    ">\"",
		    "unreadable file" },
		{ "JSON in a log",
		    "\"x\":\"call {\\\"a\\\":\\\"omega\\\\u002d123\\\"}\"",
		    "code" },
		{ "JSON in JSON in a log",
		    "\"x\":\"call "
		    "{\\\"a\\\":\\\"{\\\\\\\"q\\\\\\\":"
		    "\\\\\\\"Z\\\\\\\\u00fcrich\\\\\\\"}\\\"}\"",
		    "name" },
		{ "escaped slashes in a page",
		    "\"x\":\"```\\n{\\\"path\\\":\\\"\\\\/home\\\\/"
		    "anna\\\"}\\n```\"",
		    "path" },
		{ "base64 after an escaped line break",
		    "\"x\":\"x = \\\"a\\\\nb21lZ2EtMTIz\\\"\"", "code" },
		{ "base64 after a long line",
		    "\"x\":\"configuration_settings_a\\nYW4gb21lZ2EtMTIz\"",
		    "code" },
		{ "base64 deep in a path",
		    "\"x\":\"/a/b/c/d/e/f/g/h/i/b21lZ2EtMTIz\"", "code" },
		{ "on indented lines",
		    "\"x\":\"key: |\\n  "
		    "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYW"
		    "FvbWVn\\n  "
		    "YS0xMjNiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYm"
		    "JiYmJi\\n  YmJiYmJiYmJiYmJiYmJiYmI=\"",
		    "code" },
		{ "one of a list of tokens",
		    "\"x\":\"_-7B24f3v42onN_4v-Gavw\\n_-6Dt-jHruOokqPxoKGAgQ"
		    "\\n_-61t6qqytCytK6y4syF3A\\n_-7qqqXDkNTNgNaQz9rO-w\\n_-7"
		    "Qr_v4rY7BhdvnhOvd4A\\n_-6C84uusp6-9tjawPab3g\\n_-7Lie6Xt"
		    "dfcpdfGl8_Rzg\\n_-6tlKbP-6mMlOeIvNjA9A\\n_-7rpY6I_tW1oaH"
		    "pm6vv3w\\n_-6mj-vLpPSr9PzR-sbK-A\\neG9tZWdhLTEyM3h4eHh4e"
		    "A\\n_-7npZzgrf_Wrpb9xdyQ2w\\n_-6Izt3H_MPL162C-cDTxg\\n_-"
		    "72ydvZxtjo2azz3dWkqg\"",
		    "code" },
		{ "UTF-16 of another script",
		    "\"x\":\"QQHzAGQAegEgAG8AbQBlAGcAYQAtADEAMgAzAA==\"",
		    "code" },
		{ "or the other way",
		    "\"x\":"
		    "\"BBYEFgQWBBYEFgQWBBYEFgAgAG8AbQBlAGcAYQAtADEAMgAz\"",
		    "code" },
		{ "UTF-16 that says so",
		    "\"x\":\"//7lZSxnnopuMCAAbwBtAGUAZwBhAC0AMQAyADMA\"",
		    "code" },
		{ "UTF-16 with a pair",
		    "\"x\":\"cwBlAGUAIAA92ADeIABaAPwAcgBpAGMAaAA=\"", "name" },
		{ "a soft hyphen", "\"x\":\"ome\\u00adga-123\"", "code" },
		{ "a joiner", "\"x\":\"omega\\u200d-123\"", "code" },
		{ "a hyphen of another kind", "\"x\":\"omega\\u2011123\"",
		    "code" },
		{ "a blank of another kind", "\"x\":\"two\\u00a0words\"",
		    "words" },
		{ "an apostrophe of another kind", "\"x\":\"it\\u2019s mine\"",
		    "mine" },
		{ "both", "\"x\":\"Zu\\u0308\\u200brich\"", "name" },
		{ "UTF-16 that was read as bytes",
		    "\"x\":\"o\\u0000m\\u0000e\\u0000g\\u0000a\\u0000-"
		    "\\u00001\\u00002\\u00003\\u0000\"",
		    "code" },
		{ "a path of Windows",
		    "\"x\":\"C:\\\\\\\\users\\\\\\\\new\\\\\\\\table\"", NULL },
		{ "words alone", "\"x\":\"responsibility configuration\"",
		    NULL },
		{ "formats", "\"x\":\"%d%dd%cf %5d\"", NULL },
		{ "a long name", "\"data\":\"averyveryverylongidentifier\"",
		    NULL },
		{ "words as data",
		    "\"data\":\"these are only words without any sign between "
		    "them and so no base64\"",
		    NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CHECK_STR(
		    private(rows[i].member), rows[i].rule, "%s", rows[i].what);
}

/* Texts that are sent along with the body are searched, too. */
static void
test_beside(void)
{
	struct span texts[] = { span_of("a"), span_of("x-b21lZ2EtMTIz") };
	struct call call = { .beside = texts, .nbeside = 2 };

	call_parse_json(&config, patterns, ENDPOINT_CHAT,
	    span_of("{\"model\":\"m\"}"), arena, &call, &refused);
	CHECK_STR(call.private_rule, "code", "a header that goes along");
}

/* Two parsers must not see two different calls. */
static void
test_disguise(void)
{
	static const char *const rows[] = { "\"Model\":\"n\"",
		"\"model\\u0000x\":\"n\"", "\"model \":\"n\"",
		"\"MODEL\":\"n\"", "\"mo\\u200bdel\":\"n\"",
		"\"stream\":true,\"stream\":false", "\"Stream\":true",
		"\"\\u017ftream\":true", "\"stream\\u0000\":true",
		"\"messages\":[],\"messages\":[]", "\"Messages\":[]",
		"\"prompt\":\"a\",\"prompt\":\"b\"", "\"models\":[\"n\"]",
		"\"fallbacks\":[\"n\"]", "\"model_name\":\"n\"",
		"\"fallback_models\":[\"n\"]", "\"Models\":[\"n\"]",
		"\"engine\":\"n\"", "\"Max_Tokens\":7", "\"mod%65l\":\"n\"",
		"\"mod%2565l\":\"n\"", "\"&#109;odel\":\"n\"",
		"\"str&#x65;am\":true", "\"extra_body\":{\"model\":\"n\"}",
		"\"extra_body\":{\"a\":[{\"Model\":\"n\"}]}",
		"\"Extra_Body\":{\"model\":\"n\"}",
		"\"ext\\u0072a_body\":{\"mod\\u0065l\":\"n\"}",
		"\"litellm_params\":{\"fallbacks\":[]}",
		"\"extraBody\":{\"model\":\"n\"}",
		"\"extra-body \":{\"model\":\"n\"}",
		"\"context_window_fallbacks\":[]", "\"deployment\":\"n\"",
		"\"content_policy_fallbacks\":[{\"m\":[\"n\"]}]",
		"\"body\":{\"stream\":true}",
		"\"parameters\":{\"messages\":[]}" };
	static const char *const fine[] = { "\"modelx\":1,\"user\":\"Model\"",
		"\"100%\":1,\"%\":2",
		"\"tools\":[{\"type\":\"image_generation\",\"model\":\"n\"}]",
		"\"metadata\":{\"model\":\"n\"}",
		"\"extra_body\":{\"top_k\":5}",
		"\"parameters\":{\"result_format\":\"message\"}",
		"\"messages\":[{\"role\":\"user\",\"model\":\"n\"}]" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char body[256];

		snprintf(body, sizeof(body), "{\"model\":\"m\",%s}", rows[i]);
		CHECK_STR(parse(body).model, "(refused)", "%s", rows[i]);
	}
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		char body[256];

		snprintf(body, sizeof(body), "{\"model\":\"m\",%s}", fine[i]);
		CHECK_STR(parse(body).model, "m", "fine: %s", fine[i]);
	}
	CHECK_STR(parse("{\"model\":\"a\\u202eb\"}").model, "(refused)",
	    "a name that turns what follows");
	CHECK_STR(parse("{\"model\":\"a\\u3164\"}").model, "(refused)",
	    "a letter that nobody sees");
	CHECK_STR(parse("{\"model\":\"a\\u00adb\"}").model, "(refused)",
	    "a soft hyphen");
	CHECK_STR(parse("{\"model\":\"a b\"}").model, "a b", "blanks are seen");
}

static unsigned
remote(enum endpoint endpoint, const char *members)
{
	char body[1024];

	snprintf(body, sizeof(body), "{\"model\":\"m\",%s}", members);
	return parse_at(endpoint, body).remote;
}

/* Every form of media that is only a reference. */
static void
test_remote_shapes(void)
{
	static const struct {
		enum endpoint endpoint;
		const char *members;
		unsigned want;
	} rows[] = {
#define PART(part) "\"messages\":[{\"role\":\"user\",\"content\":[" part "]}]"
		{ ENDPOINT_CHAT,
		    PART("{\"type\":\"image_url\",\"image_url\":{"
			 "\"url\":\"https://a.example/b\"}}"),
		    REMOTE_MEDIA },
		{ ENDPOINT_CHAT,
		    PART("{\"image_url\":\"https://a.example/b\"}"),
		    REMOTE_MEDIA },
		{ ENDPOINT_CHAT,
		    PART("{\"type\":\"video_url\",\"video_url\":{"
			 "\"url\":\"https://a.example/b\"}}"),
		    REMOTE_MEDIA },
		{ ENDPOINT_CHAT,
		    PART("{\"type\":\"audio_url\",\"audio_url\":{"
			 "\"url\":\"https://a.example/b\"}}"),
		    REMOTE_MEDIA },
		{ ENDPOINT_CHAT,
		    PART("{\"url\":\"https://a.example/b\","
			 "\"type\":\"image\"}"),
		    REMOTE_MEDIA },
		{ ENDPOINT_CHAT,
		    PART("{\"type\":\"image\","
			 "\"image\":\"https://a.example/b\"}"),
		    REMOTE_MEDIA },
		{ ENDPOINT_CHAT,
		    PART("{\"type\":\"file\",\"file\":{"
			 "\"url\":\"https://a.example/b\"}}"),
		    REMOTE_MEDIA },
		{ ENDPOINT_CHAT,
		    PART("{\"type\":\"file\",\"file\":{"
			 "\"file_data\":\"https://a.example/b\"}}"),
		    REMOTE_MEDIA },
		{ ENDPOINT_CHAT,
		    PART("{\"type\":\"input_audio\",\"input_audio\":{"
			 "\"data\":\"http://a.example/b\"}}"),
		    REMOTE_MEDIA | REMOTE_PLAIN },
		{ ENDPOINT_RESPONSES,
		    "\"input\":[{\"role\":\"user\",\"content\":"
		    "[{\"type\":\"input_file\",\"file_data\":"
		    "\"https://10.0.0.1/b\"}]}]",
		    REMOTE_MEDIA | REMOTE_INSIDE },
		{ ENDPOINT_MESSAGES,
		    PART("{\"type\":\"document\",\"source\":{"
			 "\"type\":\"text\",\"data\":\"see https://a.b\"}}"),
		    0 },
		{ ENDPOINT_CHAT,
		    PART("{\"type\":\"image_url\",\"image_url\":{"
			 "\"url\":\"data:image/png;base64,iVBORw0KGgo=\"}}"),
		    0 },
		{ ENDPOINT_CHAT,
		    PART("{\"type\":\"text\","
			 "\"text\":\"https://a.example/b\"}"),
		    0 },
		{ ENDPOINT_RESPONSES,
		    "\"input\":[{\"role\":\"user\",\"content\":"
		    "[{\"type\":\"input_image\",\"image_url\":"
		    "\"https://a.example/b\"}]}]",
		    REMOTE_MEDIA },
		{ ENDPOINT_RESPONSES,
		    "\"input\":[{\"role\":\"user\",\"content\":"
		    "[{\"type\":\"input_file\",\"file_url\":"
		    "\"https://a.example/b\"}]}]",
		    REMOTE_MEDIA },
		{ ENDPOINT_RESPONSES,
		    "\"input\":[{\"type\":"
		    "\"computer_call_output\",\"output\":{\"type\":"
		    "\"computer_screenshot\",\"image_url\":"
		    "\"https://a.example/b\"}}]",
		    REMOTE_MEDIA },
		{ ENDPOINT_RESPONSES,
		    "\"tools\":[{\"type\":\"mcp\","
		    "\"server_url\":\"https://a.example/b\"}]",
		    REMOTE_MEDIA },
		{ ENDPOINT_MESSAGES,
		    PART("{\"type\":\"image\",\"source\":{"
			 "\"type\":\"url\",\"url\":\"https://a.example/b\"}}"),
		    REMOTE_MEDIA },
		{ ENDPOINT_MESSAGES,
		    PART("{\"type\":\"document\",\"source\":{"
			 "\"type\":\"url\",\"url\":\"https://a.example/b\"}}"),
		    REMOTE_MEDIA },
		{ ENDPOINT_MESSAGES,
		    PART("{\"type\":\"tool_result\",\"content\":"
			 "[{\"type\":\"image\",\"source\":{\"type\":\"url\","
			 "\"url\":"
			 "\"https://a.example/b\"}}]}"),
		    REMOTE_MEDIA },
		{ ENDPOINT_MESSAGES,
		    "\"mcp_servers\":[{\"type\":\"url\",\"url\":"
		    "\"https://a.example/b\"}]",
		    REMOTE_MEDIA },
		/* Arguments of a tool, and cited sources. */
		{ ENDPOINT_MESSAGES,
		    PART("{\"type\":\"tool_use\",\"input\":{"
			 "\"image_url\":\"https://a.example/b\"}}"),
		    0 },
		{ ENDPOINT_RESPONSES,
		    "\"input\":[{\"role\":\"assistant\","
		    "\"content\":[{\"type\":\"output_text\",\"text\":\"a\","
		    "\"annotations\":[{\"type\":\"url_citation\",\"url\":"
		    "\"https://a.example/b\"}]}]}]",
		    0 },
		{ ENDPOINT_EMBEDDINGS,
		    "\"input\":[{\"image\":"
		    "\"https://a.example/b\"}]",
		    REMOTE_MEDIA },
		{ ENDPOINT_RERANK,
		    "\"documents\":[{\"image_url\":"
		    "\"https://a.example/b\"}]",
		    REMOTE_MEDIA },
		{ ENDPOINT_SPEECH, "\"ref_audio\":\"https://a.example/b\"",
		    REMOTE_MEDIA },
		/* Keys with escapes in them. */
		{ ENDPOINT_CHAT,
		    PART("{\"type\":\"image_url\",\"image\\u005furl\":{"
			 "\"\\u0075rl\":\"https://a.example/b\"}}"),
		    REMOTE_MEDIA },
		{ ENDPOINT_MESSAGES,
		    PART("{\"type\":\"x\",\"sourc\\u0065\":{"
			 "\"u\\u0072l\":\"http://10.0.0.1/\"}}"),
		    REMOTE_MEDIA | REMOTE_PLAIN | REMOTE_INSIDE },
		/* Pictures of local servers. */
		{ ENDPOINT_IMAGES, "\"ref_images\":[\"https://a.example/b\"]",
		    REMOTE_MEDIA },
		{ ENDPOINT_IMAGES, "\"end_image\":\"C:\\\\secret.png\"",
		    REMOTE_MEDIA | REMOTE_PLAIN | REMOTE_SCHEME },
		{ ENDPOINT_IMAGES, "\"image\":\"日本.jpg\"", 0 },
		{ ENDPOINT_IMAGES, "\"image\":\"\xc2\xa0https://a.example/b\"",
		    REMOTE_MEDIA },
		{ ENDPOINT_CHAT, "\"cover_image\":\"https://a.example/b\"",
		    REMOTE_MEDIA },
		/* Names of other things. */
		{ ENDPOINT_CHAT,
		    "\"metadata\":{\"docker_image\":\"ubuntu:22.04\"}", 0 },
		{ ENDPOINT_RESPONSES,
		    "\"input\":[{\"type\":\"local_shell_call\",\"action\":{"
		    "\"env\":{\"BASE_IMAGE\":\"node:20\"}}}]",
		    0 },
		{ ENDPOINT_IMAGES, "\"file\":\"https://a.example/b\"",
		    REMOTE_MEDIA },
		{ ENDPOINT_IMAGES, "\"mask\":\"file:///etc/passwd\"",
		    REMOTE_MEDIA | REMOTE_PLAIN | REMOTE_SCHEME },
		{ ENDPOINT_IMAGES, "\"file\":\"/home/a: b\"", 0 },
		{ ENDPOINT_SPEECH, "\"speaker_wav\":\"https://a.example/b\"",
		    REMOTE_MEDIA },
		{ ENDPOINT_CHAT, "\"api_base\":\"https://a.example/b\"",
		    REMOTE_MEDIA },
		/* Inputs that are no texts. */
		{ ENDPOINT_EMBEDDINGS,
		    "\"modality\":\"image\","
		    "\"input\":[\"a\",\"http://10.0.0.1/\"]",
		    REMOTE_MEDIA | REMOTE_PLAIN | REMOTE_INSIDE },
		{ ENDPOINT_EMBEDDINGS,
		    "\"input\":\"https://a.example/b\","
		    "\"modality\":\"audio\"",
		    REMOTE_MEDIA },
		{ ENDPOINT_EMBEDDINGS,
		    "\"input\":\"https://a.example/b\","
		    "\"modality\":\"text\"",
		    0 },
#undef PART
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CHECK(remote(rows[i].endpoint, rows[i].members) == rows[i].want,
		    "%s", rows[i].members);
}

static void
test_remote_urls(void)
{
	static const char *const inside[] = { "https://localhost/a",
		"https://127.0.0.1/a", "https://127.1/a", "https://2130706433/",
		"https://0x7f000001/", "https://017700000001/",
		"https://0x7f.0.0.1:8/", "https://0/", "https://10.1.2.3",
		"https://172.31.0.1/", "https://192.168.1.1/",
		"https://169.254.169.254/latest", "https://100.64.1.1/",
		"https://[::1]/", "https://[::ffff:10.0.0.1]/",
		"https://[fe80::1]/", "https://[::ffff:7f00:1]/",
		"https://[fd00::1]/", "https://[::]/",
		"https://[64:ff9b::7f00:1]/", "https://nas.local/",
		"https://NAS.LOCAL./", "https://nas/", "https://a@127.0.0.1/",
		"https://public.example@127.0.0.1:8/", "https:\\\\127.0.0.1\\a",
		"https:127.0.0.1/a", "https:///127.0.0.1/",
		"\thttps://127.0.0.1", "ht\ntps://127.0.0.1",
		"https://127.0.0.1%2e/", "https://x.internal/",
		"https://localhost.:80/",
		"https://127\xe3\x80\x82"
		"0.0.1/",
		"HTTPS://LOCALHOST",
		/* What two readers read differently. */
		"https://010.0.0.1/", "https://0127.0.0.1/",
		"https://10.0.0.08/", "https://8.8.8/", "https://a.1.0x7f/",
		"https://a.example\\@10.0.0.1/",
		"https://10.0.0.1\\@a.example/", "https://10.0.0.1;a=b/",
		"https://10.0.0.1,a.example/", "https://<10.0.0.1>/",
		"https://10.0.0.1|a.example/" };
	static const char *const other[] = { "file:///etc/passwd",
		"FILE:/etc/passwd", "/etc/passwd", "ftp://a.example/",
		"gopher://127.0.0.1/", "//a.example/b", "a.example/b",
		"../secret.png", "blob:https://a.example/b" };

	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
		CHECK(remote_judge(span_of(inside[i]), REMOTE_KEY_URL) ==
			(REMOTE_MEDIA | REMOTE_INSIDE),
		    "%s is inside", inside[i]);
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		CHECK(remote_judge(span_of(other[i]), REMOTE_KEY_URL) &
			REMOTE_SCHEME,
		    "%s is not fetched by https", other[i]);
	CHECK(remote_judge(span_of("http://a.example/"), REMOTE_KEY_URL) ==
		(REMOTE_MEDIA | REMOTE_PLAIN),
	    "http is plain");
	CHECK(remote_judge(span_of("https://93.184.216.34/"), REMOTE_KEY_URL) ==
		    REMOTE_MEDIA &&
		remote_judge(span_of("https://[2600::1]:8/"), REMOTE_KEY_URL) ==
		    REMOTE_MEDIA &&
		remote_judge(span_of("https://u:p@a.example:8/?a@10.0.0.1"),
		    REMOTE_KEY_URL) == REMOTE_MEDIA,
	    "what is public");
	CHECK(remote_judge(span_of("https://a-1.b_2.example/\\x"),
		  REMOTE_KEY_URL) == (REMOTE_MEDIA | REMOTE_INSIDE) &&
		remote_judge(span_of("https://1a.2.xn--p1ai./@x"),
		    REMOTE_KEY_URL) == REMOTE_MEDIA,
	    "no URL has a backslash, and a label may be a number");
	CHECK(remote_judge(span_of("\xc2\xa0https://a.example/"),
		  REMOTE_KEY_MEDIA) == REMOTE_MEDIA,
	    "a blank that is not ASCII");
	CHECK(remote_key(span_of("image[]")) == REMOTE_KEY_MEDIA &&
		remote_key(span_of("image_url[0]")) == REMOTE_KEY_REFERENCE,
	    "fields of a form");
	CHECK(remote_judge(span_of("a cat"), REMOTE_KEY_MEDIA) == 0 &&
		remote_judge(span_of("image: a cat"), REMOTE_KEY_MEDIA) == 0,
	    "words where data may stand");
}

static char *
long_text(size_t len, const char *end)
{
	char *text = malloc(len + 1000), *p = text;

	p += sprintf(p, "{\"model\":\"m\",\"x\":\"");
	memset(p, 'a', len);
	p += len;
	sprintf(p, "%s\"}", end);
	return text;
}

static const char *
private_long(size_t len, const char *end)
{
	char *text = long_text(len, end);
	const char *rule = parse(text).private_rule;

	free(text);
	return rule;
}

/* Texts of a megabyte that end at once: the time grows with the length only. */
static void
test_linear(void)
{
	static const struct {
		const char *what, *piece;
	} rows[] = {
		{ "line breaks", "\\n" },
		{ "line breaks and blanks", "\\r\\n  " },
		{ "lines of 20 letters", "YWFhYWFhYWFhYWFhYWFh\\n" },
		{ "lines of 22 letters", "gIGCg4SFhoeIiYqLjI2OjA\\n" },
		{ "lines with blanks", "gIGCg4SFhoeIiYqLjI2O        \\n" },
		{ "slashes", "/" },
		{ "lines of slashes", "////////////////\\n" },
		{ "words and slashes", "gIGC/g4SF-hoeI_iYqL+jI2O" },
	};
	struct config saved = config;
	char *text, *p;

	config.private_max_bytes = INT64_MAX;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		p = text = malloc((1 << 20) + 1000);
		p +=
		    sprintf(p, "{\"model\":\"m\",\"x\":\"YWFhYWFhYWFhYWFhYWFh");
		while (p - text < 1 << 20)
			p = stpcpy(p, rows[i].piece);
		strcpy(p, "YWFhYWFhYWFhYWFhYWFh\"}");
		CHECK(parse(text).private_rule == NULL, "%s", rows[i].what);
		free(text);
	}
	config = saved;
}

static void
test_bounds(void)
{
	static const struct private_rule slow = { "slow", "(a+)+[bc]", NULL };
	struct patterns *before = patterns;
	struct config saved = config;

	config.private_max_bytes = 1000;
	CHECK(private_long(900, "") == NULL, "within the bound of bytes");
	CHECK_STR(private_long(1001, ""), "scan limit", "above it: private");
	CHECK_STR(
	    private_long(0, "data:text/plain;base64,b21lZ2EtMTIz\",\"y\":\"x"),
	    "code", "a file within the bound");
	config.private_max_bytes = 8;
	CHECK_STR(private_long(0, "data:text/plain;base64,b21lZ2EtMTIz"),
	    "scan limit", "a file above it is not decoded");
	config.private_max_bytes = 1000;
	CHECK_STR(private_long(900, "\",\"y\":\"" PEM PEM), "scan limit",
	    "the bound is for all texts together");
	CHECK_STR(private_long(900, "\",\"y\":\"omega-123\",\"z\":\"" PEM PEM),
	    "code", "what was found before it is found");
	config = saved;
	CHECK_STR(private_long(300000, "omega-123"), "code",
	    "at the end of a long text");
	CHECK_STR(private_long(65530, "omega-123"), "code",
	    "over the edge of a step");
	CHECK(private_long(300000, "omega-12") == NULL,
	    "and nothing where there is nothing");
	config.private_max_ms = 0;
	CHECK_STR(private_long(300000, ""), "scan limit",
	    "no time: what was not seen is private");
	config = saved;
	config.privates = &slow;
	config.nprivates = 1;
	patterns = patterns_new(&config, stderr);
	config.private_max_ms = 1000;
	CHECK_STR(private_long(200000, ""), "scan limit",
	    "an expression that backtracks without end is stopped");
	patterns_free(patterns);
	patterns = before;
	config = saved;
}

/* Only a sample of a long conversation is counted.  All of it is searched,
 * wherever the text is and however it is written. */
static void
test_sampled(void)
{
	enum { TURNS = 900, SAYS = 700, ROUNDS = 150 };
	static const char *const texts[] = { "omega-123", "omeg\\u0061-123",
		"b21lZ2EtMTIz", "{\\\"a\\\":\\\"omega-123\\\"}" };
	size_t size = (size_t)TURNS * (SAYS + 100), missed = 0, found = 0;
	char *body = malloc(size), *p;
	uint64_t tokens = 0;

	srandom(11);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned turn = (unsigned)random() % TURNS;
		const char *text = texts[round % 4];

		p = body + sprintf(body, "{\"model\":\"m\",\"messages\":[");
		for (unsigned i = 0; i < TURNS; i++) {
			p += sprintf(p, "%s{\"role\":\"user\",\"content\":\"",
			    i == 0 ? "" : ",");
			memset(p, ' ', SAYS);
			for (unsigned j = 0; j < SAYS; j += 5)
				memcpy(p + j, "word", 4);
			if (i == turn && round > 0)
				memcpy(p +
					(unsigned)random() % (SAYS - 40) / 5 *
					    5,
				    text, strlen(text));
			p += SAYS;
			p += sprintf(p, "\"}");
		}
		strcpy(p, "]}");
		struct call c = parse(body);

		tokens = c.input_tokens;
		if (round == 0)
			found += c.private_rule != NULL;
		else
			missed += c.private_rule == NULL ||
			    strcmp(c.private_rule, "code") != 0;
	}
	CHECK(found == 0, "a long conversation without it is not private");
	CHECK(missed == 0, "with it, it is: %zu of %d not found", missed,
	    ROUNDS - 1);
	CHECK(tokens > TURNS * SAYS / 8, "and it is counted");
	free(body);
}

static void
test_check(void)
{
	char message[200] = "";

	CHECK(patterns_check("a[0-9]+", message, sizeof(message)) == 0,
	    "a good pattern");
	CHECK(patterns_check("a[0-9", message, sizeof(message)) == -1 &&
		*message != '\0',
	    "a bad one: %s", message);
	CHECK(patterns_check("x*", message, sizeof(message)) == -1 &&
		strstr(message, "empty") != NULL,
	    "one that matches everything: %s", message);
}

static void *
search(void *ctx)
{
	struct arena *mine = arena_new();
	struct call call = { .endpoint = ENDPOINT_NONE };
	const char *body = "{\"model\":\"m\",\"x\":\"alpha-12 omega-123\"}";
	struct refused why;
	int i, *found = ctx;

	for (i = 0; i < 500; i++) {
		if (call_parse_json(&config, patterns, ENDPOINT_CHAT,
			span_of(body), mine, &call, &why) == 0 &&
		    call.private_rule != NULL)
			++*found;
		arena_reset(mine);
	}
	arena_free(mine);
	return NULL;
}

static void
test_threads(void)
{
	pthread_t threads[4];
	int i, found[4] = { 0 };

	for (i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, search, &found[i]);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	CHECK(found[0] + found[1] + found[2] + found[3] == 2000,
	    "four threads share the patterns");
}

/* A form of NAME, VALUE pairs; a value that begins with "@" is a file's. */
static struct call
form(int *rc, const char *const *pairs)
{
	static struct call_form f;
	struct call call = { .endpoint = ENDPOINT_NONE };
	struct call_part part;

	f = (struct call_form){ .nparts = 0 };
	for (; *pairs != NULL; pairs += 2) {
		part = (struct call_part){ .name = span_of(pairs[0]),
			.content = span_of(pairs[1]),
			.file = *pairs[1] == '@',
			.offset = f.nparts };
		if (part.file) {
			part.content.p++;
			part.content.len--;
		}
		call_form_take(&f, &part);
	}
	arena_reset(arena);
	*rc = call_parse_form(&config, patterns, ENDPOINT_TRANSCRIPTIONS, &f,
	    arena, &call, &refused);
	return call;
}
#define FORM(...) form(&rc, (const char *const[]){ __VA_ARGS__, NULL })
#define RULE(...) FORM("model", "m", __VA_ARGS__).private_rule

static void
test_form(void)
{
	struct call c;
	int rc;

	c = FORM("a", "b", "model", "whisper-1", "stream", "True", "prompt",
	    "omega-123 x");
	CHECK(rc == 0 && strcmp(c.model, "whisper-1") == 0 &&
		c.model_offset == 1 && c.model_len == 9 && !c.model_is_json,
	    "a form's model and its place");
	CHECK(c.stream, "stream as forms say it");
	CHECK_STR(c.private_rule, "code", "the prompt is searched");
	CHECK_STR(RULE("hotwords", "omega-123"), "code", "so is another field");
	CHECK_STR(RULE("omega-123", "x"), "code", "a field's name");
	CHECK_STR(RULE("file", "@omega-123"), "code", "a file that is text");
	CHECK_STR(RULE("file", "@ID3 omega-123"), "code",
	    "even one that begins like sound");
	CHECK(RULE("file", "@ID3\xff\xfe\x80") == NULL, "sound is not");
	CHECK(RULE("file", "@\xff\xfb\x90\x64") == NULL, "nor without a tag");
	CHECK_STR(RULE("file", "@\x80\x81"), "unreadable file",
	    "what is neither cannot be read");
	CHECK_STR(RULE("file", "@%PDF-1\n\xe2\xe3"), "unreadable file",
	    "nor can a document");
	CHECK_STR(RULE("x", "\xfd\xbf\xff\xbf"), "text that is not UTF-8",
	    "a field that is not UTF-8 is private and crashes no engine");
	CHECK_STR(RULE("x", "\xff omega-123 Z\xfcrich"), "code",
	    "and is searched as bytes: the rule has its name");
	CHECK_STR(
	    RULE("\xfd\xbf", "x"), "text that is not UTF-8", "so is a name");
	c = FORM("model", "m", "file", "@0123456789", "stream", "false");
	CHECK(rc == 0 && !c.stream, "false is false");
}

/* Emoji have selectors and joiners; nothing else that hides is a name's. */
static void
test_seen_names(void)
{
	static const char *const good[] = { "\xe2\x9d\xa4\xef\xb8\x8f",
		"\xe2\x9c\x88\xef\xb8\x8e-fast",
		"\xe2\x9d\xa4\xef\xb8\x8f\xe2\x80\x8d\xf0\x9f\x94\xa5",
		"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb" };
	static const char *const bad[] = { "\xef\xb8\x8f", "m\xef\xb8\x8f",
		"m\xe2\x80\x8d", "\xe2\x9d\xa4\xef\xb8\x8f\xef\xb8\x8f",
		"\xe2\x9d\xa4\xe2\x80\x8d\xe2\x80\x8d",
		"\xe2\x9d\xa4\xe2\x80\x8d\xef\xb8\x8f",
		"\xe2\x9d\xa4\xe2\x80\x8b", "\xe2\x9d\xa4\xef\xb8\x80",
		"\xe2\x9d\xa4\xe2\x80\xae", "\xe2\x9d\xa4\x1b" };
	int rc;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct call c = FORM("model", good[i]);

		CHECK(rc == 0 && strcmp(c.model, good[i]) == 0, "a name: %s",
		    good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		FORM("model", bad[i]);
		CHECK(rc == -1 && strcmp(refused.param, "model") == 0,
		    "no name: row %zu", i);
	}
}

/* The rule that a field finds which may hold NULs. */
static const char *
field_rule(const char *content, size_t len)
{
	struct call_form f = { .nparts = 0 };
	struct call call = { .endpoint = ENDPOINT_NONE };
	struct call_part model = { .name = span_of("model"),
		.content = span_of("m") };
	struct call_part part = { .name = span_of("image"),
		.content = { content, len } };

	call_form_take(&f, &model);
	call_form_take(&f, &part);
	arena_reset(arena);
	if (call_parse_form(&config, patterns, ENDPOINT_IMAGE_EDITS, &f, arena,
		&call, &refused) != 0)
		return "refused";
	return call.private_rule;
}
#define FIELD_RULE(text) field_rule(text, sizeof(text) - 1)

/* A picture need not have a file name; what may be text needs a reader. */
static void
test_form_nul(void)
{
	static const char unreadable[] = "unreadable file";

	CHECK(FIELD_RULE("\x89PNG\r\n\x1a\n\0\0\0\rIHDR") == NULL,
	    "a picture as a field");
	CHECK(FIELD_RULE("\xff\xd8\xff\xe0\0\x10JFIF\0") == NULL, "or another");
	CHECK_STR(
	    FIELD_RULE("\xff\xfeo\0m\0"), unreadable, "UTF-16 in a field");
	CHECK_STR(FIELD_RULE("o\0m\0\x1c\x04"), unreadable, "without a mark");
	CHECK_STR(FIELD_RULE("\xfe\xff\0o\0m"), unreadable, "the other way");
	CHECK_STR(FIELD_RULE("ID3\0omega-123"), unreadable,
	    "a text with a NUL that begins like sound");
	CHECK_STR(FIELD_RULE("%PDF-1\n\0\xe2\xe3"), unreadable, "a document");
	CHECK_STR(
	    FIELD_RULE("\x01\0\xff"), unreadable, "or what it is not known");
}

/* Each of these is ambiguous. */
static void
test_form_refused(void)
{
	static const struct {
		const char *name, *value, *param;
	} rows[] = {
		{ "model", "n", "model" },
		{ "model", "@n", "model" },
		{ "Model", "n", "model" },
		{ "model[]", "n", "model" },
		{ "model ", "n", "model" },
		{ " model\t", "n", "model" },
		{ "mod%65l", "n", "model" },
		{ "%6d%6F%64%65%6c", "n", "model" },
		{ "mod%2565l", "n", "model" },
		{ "m&#111;del", "n", "model" },
		{ "m&#X6f;del", "n", "model" },
		{ "'model'", "n", "model" },
		{ "mod\\\"el", "n", "model" },
		{ "stre%61m", "true", "stream" },
		{ "prompt%00x", "x", "prompt" },
		{ "fallb%61cks", "x", "fallbacks" },
		{ "stream", "@true", "stream" },
		{ "STREAM", "true", "stream" },
		{ "stream", "yes", "stream" },
		{ "prompt", "@x", "prompt" },
		{ "prompt", "\xe2\x82", "prompt" },
		{ "\xc5\xbftream", "true", "stream" },
		{ "models", "n", "models" },
	};
	const char *many[2 * CALL_PARTS_MAX + 5] = { "model", "m" };
	int rc;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		FORM("model", "m", rows[i].name, rows[i].value);
		CHECK(rc == -1 && refused.param != NULL &&
			strcmp(refused.param, rows[i].param) == 0,
		    "%s=%s is refused", rows[i].name, rows[i].value);
	}
	FORM("model", "m", "prompt", "x", "prompt", "x");
	CHECK(rc == -1, "a second prompt");
	FORM("model", "");
	CHECK(rc == -1 && refused.refusal == REFUSE_MISSING_MODEL,
	    "an empty model");
	FORM("model", "a\r\nb");
	CHECK(rc == -1, "a line break in the name");
	FORM("model", "a\xff");
	CHECK(rc == -1, "a name that is no text");
	FORM("model",
	    "a\xe2\x80\xae"
	    "b");
	CHECK(rc == -1, "a name that turns what follows");
	FORM("a", "b");
	CHECK(rc == -1 && refused.refusal == REFUSE_MISSING_MODEL, "no model");
	for (size_t i = 1; i <= CALL_PARTS_MAX; i++) {
		many[2 * i] = "a";
		many[2 * i + 1] = "b";
	}
	form(&rc, many);
	CHECK(rc == -1, "more parts than are looked through");
}

static void
test_header(void)
{
	struct call call = { .header_local = true };

	call_parse_json(&config, patterns, ENDPOINT_CHAT,
	    span_of("{\"model\":\"m\"}"), arena, &call, &refused);
	CHECK(call.header_local, "the header's word is kept");
}

/* Damaged bodies: no crash, and all offsets are inside the body. */
static void
test_noise(void)
{
	static const char seed[] =
	    "{\"model\":\"m\",\"stream\":true,\"stream_options\":{},\"n\":2,"
	    "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
	    "\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,"
	    "AA==\"}},{\"type\":\"text\",\"text\":\"\\u00e9\"}]}],\"tools\":"
	    "[{\"a\":1}]}";
	char text[sizeof(seed)];
	unsigned round, i, bad = 0, good = 0;
	size_t len = sizeof(seed) - 1;
	int rc;

	srand(5);
	for (round = 0; round < 5000; round++) {
		memcpy(text, seed, sizeof(seed));
		for (i = 0; i <= round % 3; i++)
			text[(size_t)rand() % len] = round % 2
			    ? (char)(rand() % 256)
			    : seed[(size_t)rand() % len];
		struct call c =
		    parse_span(ENDPOINT_CHAT, (struct span){ text, len }, &rc);

		if (rc == 0) {
			good++;
			bad += c.model == NULL ||
			    c.model_offset + c.model_len > len ||
			    c.object_end_offset >= len ||
			    c.stream_options_offset + c.stream_options_len >
				len;
		} else
			bad += refused.refusal == REFUSE_NONE;
	}
	CHECK(bad == 0 && good > 0, "damaged bodies: %u understood", good);
}

int
main(void)
{
	arena = arena_new();
	patterns = patterns_new(&config, stderr);
	test_members();
	test_counts();
	test_refused();
	test_needs();
	test_estimate();
	test_tokens();
	test_private();
	test_files();
	test_media();
	test_layers();
	test_linear();
	test_beside();
	test_disguise();
	test_remote_shapes();
	test_remote_urls();
	test_bounds();
	test_sampled();
	test_check();
	test_threads();
	test_form();
	test_form_nul();
	test_seen_names();
	test_form_refused();
	test_header();
	test_noise();
	patterns_free(patterns);
	arena_free(arena);
	return check_done();
}
