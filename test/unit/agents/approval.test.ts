import { describe, expect, test } from "bun:test";
import type { ApprovalPolicy } from "../../../src/agents/approval.ts";
import { setup, upper } from "./scripted-agent.ts";
import { calls, failureOf, says, testTool } from "./support.ts";

const ask: ApprovalPolicy = { kind: "rules", tools: { "upper-case": "ask" }, others: "auto" };

async function turn(approval: ApprovalPolicy, answer?: (question: string) => string | null) {
  const s = await setup(
    [calls(["upper-case", { input: "a" }], ["other", { input: "b" }]), says("done")],
    [upper(), testTool("other", (p) => `other ${p.input}`)],
    { approval },
  );
  const questions: string[] = [];
  const run = {
    ...s.run,
    ...(answer === undefined
      ? {}
      : {
          ask: async (question: string) => {
            questions.push(question);
            const line = answer(question);
            return line === null ? null : new TextEncoder().encode(line);
          },
        }),
  };
  const output = await s.agent.execute({ text: "go" }, run);
  return { ...s, questions, output, told: s.model.prompt(1).slice(-2) };
}

describe("Approval of tool calls", () => {
  test("asks the person with what would be called, and runs it after a yes", async () => {
    for (const yes of ["y\n", "Yes\n", " YES"]) {
      const { questions, output } = await turn(ask, () => yes);
      expect(questions).toEqual(['Agent "ada" wants to call upper-case {"input":"a"}\nAllow? [y/N] ']);
      expect(output.toolCalls.map(({ success }) => success)).toEqual([true, true]);
    }
  });

  test("takes everything else for a no, and tells the model so", async () => {
    for (const no of ["n\n", "\n", "maybe\n", null]) {
      const { output } = await turn(ask, () => no);
      expect(output.toolCalls).toMatchObject([
        { toolName: "upper-case", success: false, error: "The call was not approved: the user refused it" },
        { toolName: "other", success: true },
      ]);
    }
  });

  test("refuses where nobody is there to ask", async () => {
    const { output } = await turn(ask);
    expect(output.toolCalls[0]!.error).toBe(
      "The call was not approved: it needs approval, and nobody is there to ask",
    );
    expect(output.text).toBe("done");
  });

  test("asks one question at a time", async () => {
    let open = 0;
    const s = await setup(
      [
        calls(...Array.from({ length: 4 }, (_, i): [string, unknown] => ["upper-case", { input: `${i}` }])),
        says("x"),
      ],
      [upper()],
      { approval: { kind: "rules", tools: {}, others: "ask" } },
    );
    const run = {
      ...s.run,
      ask: async () => {
        expect(++open).toBe(1);
        await Bun.sleep(1);
        open--;
        return new TextEncoder().encode("y");
      },
    };
    const output = await s.agent.execute({ text: "go" }, run);
    expect(output.toolCalls.map(({ success }) => success)).toEqual([true, true, true, true]);
  });

  test("denies by rule, also by an alias of the tool", async () => {
    const { output } = await turn({ kind: "rules", tools: { shout: "deny" }, others: "auto" });
    expect(output.toolCalls.map(({ success }) => success)).toEqual([false, true]);
  });

  test("lets a function decide: yes, no, why not, other parameters", async () => {
    const seen: unknown[] = [];
    const { output, told } = await turn({
      kind: "function",
      decide: async (call) => {
        seen.push(call);
        return call.tool === "other"
          ? { allowed: false, reason: "not on Sundays" }
          : { allowed: true, parameters: { input: "changed" } };
      },
    });
    expect(seen).toEqual([
      { agent: "ada", tool: "upper-case", parameters: { input: "a" } },
      { agent: "ada", tool: "other", parameters: { input: "b" } },
    ]);
    expect(output.toolCalls).toMatchObject([
      { parameters: { input: "changed" }, success: true },
      { success: false, error: "The call was not approved: not on Sundays" },
    ]);
    expect(told.join()).toContain("CHANGED");
  });

  test("refuses where the function fails", async () => {
    const { output } = await turn({
      kind: "function",
      decide: async () => {
        throw new Error("oops");
      },
    });
    expect(output.toolCalls[0]!.error).toBe("The call was not approved: its approval failed: oops");
  });

  test("names a tool that does not exist when the agent is built", async () => {
    const error = await failureOf(
      setup([], [upper()], { approval: { kind: "rules", tools: { "uper-case": "ask" }, others: "auto" } }),
    );
    expect(error.message).toBe('Cannot build agent "ada": "approval" names no tool: uper-case');
    expect(error.hint).toContain("upper-case");
  });
});
