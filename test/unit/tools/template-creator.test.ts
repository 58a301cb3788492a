/** Expected texts: the Tera documentation (keats.github.io/tera) for Tera; Handlebars itself in test/conformance/handlebars. */
import { describe, expect, test } from "bun:test";
import { renderHandlebars } from "../../../src/tools/utility/template-creator/handlebars.ts";
import { renderTera } from "../../../src/tools/utility/template-creator/tera/render.ts";
import { bench, failure } from "./support.ts";

const CONTEXT = {
  name: "<Ada & 'Co'>",
  n: 3,
  items: [
    { name: "b", k: 2 },
    { name: "a", k: 1 },
  ],
  list: [1, 2, 3],
  user: { name: "Bo", roles: ["r1", "r2"] },
  empty: [],
  yes: true,
  words: "hello big world",
};
const tera = (template: string, context: unknown = CONTEXT) => renderTera(template, context, 5000);

describe("Tera", () => {
  test.each([
    ["{{ name }}", "&lt;Ada &amp; &#x27;Co&#x27;&gt;"],
    ["{{ name | safe }}", "<Ada & 'Co'>"],
    [
      "{{ user.name }} {{ user['name'] }} {{ list.0 }} {{ user.roles.1 }} {{ items[0].name }}",
      "Bo Bo 1 r2 b",
    ],
    ["{{ n + 2 * 3 }} {{ (n + 2) * 3 }} {{ n / 2 }} {{ n % 2 }} {{ n - 5 }}", "9 15 1.5 1 -2"],
    ["{{ 'a' ~ n ~ \"b\" ~ `c` }}", "a3bc"],
    ["{% if n > 2 and not empty %}a{% else %}b{% endif %}", "a"],
    ["{% if missing %}a{% elif n == 3 %}b{% else %}c{% endif %}", "b"],
    ["{% if 2 in list and 9 not in list and 'big' in words %}in{% endif %}", "in"],
    [
      "{% if n is odd and user is object and n is not divisibleby(2) %}t{% endif %}{% if x is undefined %}u{% endif %}",
      "tu",
    ],
    [
      "{% for i in items %}{{ loop.index }}{{ loop.first }}{{ i.name }}{% if not loop.last %},{% endif %}{% endfor %}",
      "1trueb,2falsea",
    ],
    ["{% for k, v in user %}{{ k }}={{ v }};{% endfor %}", "name=Bo;roles=[r1, r2];"],
    ["{% for i in empty %}x{% else %}none{% endfor %}", "none"],
    [
      "{% for i in range(end=9) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}",
      "023",
    ],
    [
      "{% set a = 1 %}{% for i in list %}{% set a = i %}{% set_global b = i %}{% endfor %}{{ a }}{{ b }}",
      "13",
    ],
    ["{% raw %}{{ x }} {% if %}{% endraw %}", "{{ x }} {% if %}"],
    ["a {# gone }} #}b", "a b"],
    ["a  {{- n -}}  b {%- if yes -%}  c  {%- endif %} d", "a3bc d"],
    [
      "{% macro tag(name, kind='b') %}<{{ kind }}>{{ name }}</{{ kind }}>{% endmacro %}{{ self::tag(name=n) }}",
      "<b>3</b>",
    ],
    ["{% filter upper %}abc{{ n }}{% endfilter %}", "ABC3"],
    ["{{ missing | default(value='d') }} {{ user.missing | default(value=1) }}", "d 1"],
    [
      "{{ words | upper }} {{ 'ABC' | lower }} {{ words | title }} {{ words | capitalize }} {{ ' x ' | trim }}",
      "HELLO BIG WORLD abc Hello Big World Hello big world x",
    ],
    [
      "{{ list | length }} {{ words | length }} {{ words | wordcount }} {{ list | first }} {{ list | last }} {{ list | nth(n=1) }}",
      "3 15 3 1 3 2",
    ],
    [
      "{{ list | join(sep=', ') }} {{ list | reverse | join(sep='') }} {{ list | slice(start=1, end=2) }}",
      "1, 2, 3 321 [2]",
    ],
    [
      "{{ words | replace(from='big', to='small') }} {{ words | truncate(length=5) }} {{ words | truncate(length=5, end='') }}",
      "hello small world hello… hello",
    ],
    [
      "{{ items | map(attribute='name') | sort | join(sep='') }} {{ items | filter(attribute='k', value=1) | length }}",
      "ab 1",
    ],
    [
      "{{ 1710498600 | date }} {{ 1710498600 | date(format='%d.%m.%Y %H:%M', timezone='Europe/Berlin') }}",
      "2024-03-15 15.03.2024 11:30",
    ],
    ["{{ user | json_encode | safe }}", '{"name":"Bo","roles":["r1","r2"]}'],
    [
      "{{ 2.55 | round(precision=1, method='floor') }} {{ -2 | abs }} {{ 'Hello Wörld!' | slugify }} {{ 'a b&c' | urlencode }}",
      "2.5 2 hello-world a%20b%26c",
    ],
    [
      "{{ '<b>x</b>' | striptags }} {{ 2 | pluralize }} {{ list | get(key='x', default='none') }}",
      "x s none",
    ],
    ["{{ n + 2 | round }}", "5"],
  ])("%s", (template, text) => {
    expect(tera(template)).toBe(text);
  });

  test.each([
    ["{{ missing }}", "Template error: Variable 'missing' not found in context (line 1)"],
    ["a\nb {{ user.missing }}", "Template error: Variable 'user.missing' not found in context (line 2)"],
    ["{{ constructor }}", "Variable 'constructor' not found"],
    ["{{ user.__proto__ }}", "Variable 'user.__proto__' not found"],
    ["{{ words.length }}", "Variable 'words.length' not found"],
    ["{{ n | uper }}", "Template error: unknown filter 'uper' (line 1)"],
    ["{% include 'x' %}", "Template error: 'include' is not available"],
    ["{% if n %}", "Template error: unexpected end of the template"],
    ["{{ n", "Template error: a tag has no end (line 1)"],
    ["{{ 1 / 0 }}", "Template error: division by zero (line 1)"],
    ["{{ n + words }}", "Template error: '+' needs numbers (line 1)"],
    ["{% for x in n %}{% endfor %}", "Template error: 'for … in' needs a list (line 1)"],
    ["{{ throw(message='stop') }}", "Template error: stop"],
  ])("%s is an error that says where", (template, message) => {
    expect(() => tera(template)).toThrow(message);
  });
});

const BOMBS: [string, string, string][] = [
  [
    "loops within loops",
    "timeout",
    "{% for a in range(end=99999) %}{% for b in range(end=99999) %}{% endfor %}{% endfor %}",
  ],
  [
    "output",
    "limit",
    "{% for a in range(end=99999) %}{{ words }}{{ words }}{{ words }}{{ words }}{{ words }}{{ words }}{{ words }}{% endfor %}",
  ],
  [
    "doubled text",
    "limit",
    "{% set s = 'aaaaaaaaaa' %}{% for i in range(end=60) %}{% set_global s = s ~ s %}{% endfor %}",
  ],
  ["endless macro", "limit", "{% macro m(a) %}{{ self::m(a=a) }}{% endmacro %}{{ self::m(a=1) }}"],
  ["nested parentheses", "invalid_argument", `{{ ${"(".repeat(5000)}1${")".repeat(5000)} }}`],
  ["nested blocks", "invalid_argument", "{% if n %}".repeat(5000)],
];

describe("templates that never end", () => {
  test.each(BOMBS)("Tera: %s end with %s", async (_name, code, template) => {
    expect(
      (await failure(() => renderTera(template, CONTEXT, code === "timeout" ? 50 : 50_000))).code as string,
    ).toBe(code);
  });

  test.each([
    [
      "loops within loops",
      "timeout",
      "{{#each a}}{{#each @root.a}}{{#each @root.a}}{{/each}}{{/each}}{{/each}}",
    ],
    ["output", "limit", `{{#each a}}${"y".repeat(10_000)}{{/each}}`],
    ["endless partial", "limit", "{{#*inline 'p'}}{{> p}}{{/inline}}{{> p}}"],
    ["nested blocks", "invalid_argument", "{{#if a}}".repeat(5000)],
    ["else chains", "invalid_argument", `{{#if b}}${"{{else if a}}".repeat(5000)}{{/if}}`],
    ["nested subexpressions", "invalid_argument", `{{not ${"(not ".repeat(5000)}a${")".repeat(5000)}}}`],
    ["prototypes", "invalid_argument", "{{a.constructor}}"],
    [
      "prototypes through lookup",
      "invalid_argument",
      "{{#with (lookup a 'constructor')}}{{name}}{{else}}{{missing}}{{/with}}",
    ],
  ])("Handlebars: %s end with %s", async (_name, code, template) => {
    const context = { a: Array.from({ length: 3000 }, () => 1) };
    expect(
      (await failure(() => renderHandlebars(template, context, code === "timeout" ? 50 : 50_000)))
        .code as string,
    ).toBe(code);
  });
});

describe("template-creator", () => {
  const { tools } = bench();
  const call = (params: Record<string, unknown>) => tools.execute("template_engine", params);

  test("tells what it rendered, in which language, and the sizes", async () => {
    const answer = await call({ template: "Grüße {{ name }}", variables: { name: "x" } });
    expect(answer).toMatchObject({
      operation: "render_template",
      primary: "Grüße x",
      metadata: { engine: "tera", template_length: 18 },
    });
    expect(answer.result).toEqual({
      rendered: "Grüße x",
      result: "Grüße x",
      engine: "tera",
      template_length: 18,
      context_size: 12,
    });
  });

  test.each([
    ["{{name}}", {}, "tera"],
    ["{{#if name}}x{{/if}}", {}, "handlebars"],
    ["{{name}}", { engine: "hbs" }, "handlebars"],
    ["{% if name %}{{name}}{% endif %}", { auto_detect: false }, "tera"],
  ])("%s with %p is %s", async (input, more, engine) => {
    expect((await call({ input, context: { name: "n" }, ...more })).result).toMatchObject({ engine });
  });

  test.each(["system(", "exec(", "eval(", "__import__", "subprocess", "os.system"])(
    "refuses %s",
    async (text) => {
      const error = await failure(call({ input: `a ${text} b` }));
      expect([error.code, error.message]).toEqual([
        "permission_denied",
        expect.stringContaining("Security violation"),
      ]);
    },
  );

  test("refuses what is too large", async () => {
    expect((await failure(call({ input: "x".repeat(1_000_001) }))).data.limit).toBe("template_bytes");
    expect((await failure(call({ input: "x", context: { a: "y".repeat(10_000_001) } }))).data.limit).toBe(
      "context_bytes",
    );
    expect((await failure(call({ input: `{{ 1${"+1".repeat(200_000)} }}` }))).code).toBe("limit");
  });
});
