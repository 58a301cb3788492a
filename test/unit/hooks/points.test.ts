import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { canonicalPoints, KERNEL_POINTS, POINTS } from "../../../src/hooks/points.ts";

describe("names of hook points", () => {
  test("43 points and 24 of the kernel, each once", () => {
    expect(POINTS).toHaveLength(43);
    expect(KERNEL_POINTS).toHaveLength(24);
    expect(new Set([...POINTS, ...KERNEL_POINTS]).size).toBe(67);
  });

  test.each([
    ["BeforeToolExecution", ["BeforeToolExecution"]],
    ["before_tool_execution", ["BeforeToolExecution"]],
    ["cpu_usage_high", ["CpuUsageHigh"]],
    ["pre_io_pub_broadcast", ["PreIOPubBroadcast"]],
    ["pre_iopub_broadcast", ["PreIOPubBroadcast"]],
    ["custom:checkout", ["custom:checkout"]],
    ["custom:with:colons and spaces", ["custom:with:colons and spaces"]],
    ["tool_timeout", ["custom:tool_timeout"]],
    ["custom:tool_timeout", ["custom:tool_timeout"]],
    ["tool_parameter_validation", ["ToolValidation"]],
    ["state_change", ["BeforeStateWrite", "AfterStateWrite"]],
    ["custom:state_change", ["BeforeStateWrite", "AfterStateWrite"]],
    ["before_agent_terminate", ["BeforeAgentShutdown"]],
  ])("%s", (name, expected) => {
    expect(canonicalPoints(name)).toEqual(expected);
  });

  test.each([
    "",
    "custom:",
    "BeforeToolExecutio",
    "BEFORE_TOOL_EXECUTION",
    "toString",
    "beforeToolExecution",
  ])("%j is unknown", (name) => {
    expect(() => canonicalPoints(name)).toThrow(`Unknown hook point: ${name}`);
  });

  test("the documentation names every point", () => {
    const page = readFileSync("docs/hooks.md", "utf8");
    for (const point of POINTS) expect(page).toContain(`\`${point}\``);
  });
});
