"""Writes expected.json beside this file: python3 test/conformance/json-schema/make.py (then `bun run format`)

Python's jsonschema 4.26 (Draft7Validator) is the judge: per schema, each instance with the paths at which it is wrong.
"""
import json
import os

from jsonschema import Draft7Validator

HERE = os.path.dirname(os.path.abspath(__file__))
ANY = [None, True, 0, 1, -1, 1.5, 10, "", "a", "abc", "äöü😀", [], [1], [1, 1], [1, "a", None], {}, {"a": 1}, {"a": "x", "b": 2},
       {"a": {"b": [1, {"c": "d"}]}}, [{"a": 1}, {"a": "x"}], 1.0, 1e20, {"x-1": 1, "x-2": "q"}]
SCHEMAS = [
    {}, True, False, {"type": "integer"}, {"type": "number"}, {"type": "string"}, {"type": "object"}, {"type": "array"}, {"type": "null"},
    {"type": "boolean"}, {"type": ["string", "null"]}, {"enum": [1, "a", None, [1], {"a": 1}]}, {"const": {"a": 1}}, {"const": 1},
    {"minimum": 1}, {"maximum": 1}, {"exclusiveMinimum": 1}, {"exclusiveMaximum": 1}, {"multipleOf": 0.5}, {"multipleOf": 2},
    {"minLength": 3}, {"maxLength": 3}, {"maxLength": 4, "minLength": 4}, {"pattern": "^a"}, {"pattern": "b+"},
    {"minItems": 2}, {"maxItems": 1}, {"uniqueItems": True}, {"items": {"type": "integer"}}, {"items": [{"type": "integer"}, {"type": "string"}]},
    {"items": [{"type": "integer"}], "additionalItems": False}, {"items": [{}], "additionalItems": {"type": "string"}},
    {"contains": {"type": "string"}}, {"contains": {"const": 1}}, {"required": ["a"]}, {"required": ["a", "b"]},
    {"minProperties": 1}, {"maxProperties": 1}, {"properties": {"a": {"type": "integer"}}},
    {"properties": {"a": {}}, "additionalProperties": False}, {"additionalProperties": {"type": "integer"}},
    {"patternProperties": {"^x-": {"type": "integer"}}}, {"patternProperties": {"^x-": {}}, "additionalProperties": False},
    {"propertyNames": {"maxLength": 1}}, {"dependencies": {"a": ["b"]}}, {"dependencies": {"a": {"required": ["b"]}}},
    {"allOf": [{"type": "integer"}, {"minimum": 1}]}, {"anyOf": [{"type": "string"}, {"minimum": 5}]},
    {"oneOf": [{"type": "integer"}, {"minimum": 1}]}, {"not": {"type": "string"}}, {"not": {}},
    {"if": {"type": "integer"}, "then": {"minimum": 1}, "else": {"type": "string"}}, {"if": {"const": 1}, "then": False},
    {"$ref": "#/definitions/p", "definitions": {"p": {"type": "integer"}}},
    {"properties": {"a": {"$ref": "#"}}, "type": "object"},
    {"definitions": {"t": {"type": "array", "items": {"$ref": "#/definitions/t"}}}, "$ref": "#/definitions/t"},
    {"definitions": {"a/b~c": {"type": "string"}}, "properties": {"a": {"$ref": "#/definitions/a~1b~0c"}}},
    {"$id": "http://example.com/root.json", "definitions": {"n": {"$id": "n.json", "type": "integer"}}, "properties": {"a": {"$ref": "n.json"}}},
    {"$ref": "#/definitions/p", "maximum": 0, "definitions": {"p": {"type": "integer"}}},
    {"properties": {"a": {"properties": {"b": {"items": {"properties": {"c": {"type": "integer"}}}}}}}},
]


def pointer(error):
    return "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in error.absolute_path)


cases = []
for schema in SCHEMAS:
    validator = Draft7Validator(schema)
    cases.append({"schema": schema, "instances": [
        [instance, sorted({pointer(e) for e in validator.iter_errors(instance)})] for instance in ANY]})
with open(os.path.join(HERE, "expected.json"), "w") as f:
    json.dump(cases, f, ensure_ascii=False)
    f.write("\n")
