// Writes expected.json beside this file, with Handlebars 4.7.10 in strict mode as the judge:
//   mkdir /tmp/hb && npm install --prefix /tmp/hb handlebars@4.7.10 && node test/conformance/handlebars/make.mjs /tmp/hb/node_modules/handlebars
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const Handlebars = createRequire(import.meta.url)(resolve(process.argv[2]));
Handlebars.registerHelper("uppercase", (text) => String(text).toUpperCase());
Handlebars.registerHelper("lowercase", (text) => String(text).toLowerCase());

const context = {
  name: "Ada <\"'`=&>",
  n: 3,
  zero: 0,
  yes: true,
  no: false,
  nothing: null,
  empty: [],
  "a b": "spaced",
  items: [{ name: "x", tags: ["p", "q"] }, { name: "y", tags: [] }],
  list: ["one", "two"],
  user: { name: "Bo", address: { city: "Rom" } },
};
const templates = [
  "{{name}}|{{{name}}}|{{&name}}",
  "{{n}} {{zero}} {{yes}} {{no}} {{nothing}}",
  "{{user.name}} {{user/name}} {{user.address.city}} {{[a b]}} {{this.n}} {{./n}}",
  "{{items.[1].name}} {{list.[0]}}",
  "{{missing}}",
  "{{user.missing}}",
  "{{user.missing.more}}",
  "{{#if yes}}a{{else}}b{{/if}}{{#if no}}a{{else}}b{{/if}}{{#if zero}}a{{else}}b{{/if}}{{#if empty}}a{{else}}b{{/if}}{{#if nothing}}a{{/if}}",
  "{{#if zero includeZero=true}}a{{else}}b{{/if}}",
  "{{#if no}}a{{else if n}}b{{else}}c{{/if}}",
  "{{#unless no}}a{{else}}b{{/unless}}{{#unless n}}c{{else}}d{{/unless}}",
  "{{#each list}}{{@index}}{{@first}}{{@last}}={{this}};{{/each}}",
  "{{#each items}}{{name}}{{#each tags}} {{this}}/{{../name}}/{{../../n}}{{else}} none{{/each}};{{/each}}",
  "{{#each user}}{{@key}};{{/each}}",
  "{{#each empty}}x{{else}}none{{/each}}",
  "{{#each items}}{{#each tags}}{{@../index}}.{{@index}} {{/each}}{{/each}}",
  "{{#each items as |item i|}}{{i}}{{item.name}}{{/each}}",
  "{{#each items}}{{@root.n}}{{/each}}",
  "{{#with user}}{{name}} {{address.city}} {{../n}}{{/with}}{{#with nothing}}x{{else}}none{{/with}}",
  "{{#with user as |u|}}{{u.name}}{{/with}}",
  "{{#items}}{{name}} {{/items}}{{#user}}{{name}}{{/user}}{{#yes}}{{n}}{{/yes}}{{#no}}x{{/no}}",
  "{{^empty}}nothing{{/empty}}{{^no}}not{{/no}}",
  "{{uppercase user.name}} {{lowercase 'ABC'}} {{uppercase (lowercase 'AbC')}}",
  "{{lookup list 1}} {{lookup user 'name'}}",
  "{{#*inline 'p'}}<{{n}}>{{/inline}}{{> p}}{{> p n=5}}{{#with user}}{{> p n=name}}{{/with}}",
  "{{> unknown}}",
  "{{! comment }}a{{!-- {{n}} --}}b",
  "\\{{n}} \\\\{{n}}",
  "  {{~n~}}  x",
  "a\n{{#if yes}}\n  b\n{{/if}}\nc\n",
  "{{#each list}}\n- {{this}}\n{{/each}}\nend",
  "{{#if yes}} a {{~else~}} b {{/if}}",
  "{{name.length.toString}}",
  "{{unknown 1}}",
  "{{#if}}x{{/if}}",
  "{{#if yes}}x",
  "{{/if}}",
  "{{n",
  "{{#if yes}}x{{/each}}",
];
const cases = templates.map((template) => {
  try {
    return [template, Handlebars.compile(template, { strict: true })(context)];
  } catch {
    return [template, null];
  }
});
writeFileSync(new URL("expected.json", import.meta.url), `${JSON.stringify({ context, cases }, null, 1)}\n`);
