import { describe, expect, test } from "bun:test";
import { AGENT_STATES, type AgentState, Lifecycle, mayGo } from "../../../src/agents/lifecycle.ts";

/** The table of the specification, word for word. */
const TABLE = `
Uninitialized | Initializing, Error
Initializing | Ready, Error, Terminating
Ready | Running, Paused, Terminating, Error
Running | Ready, Paused, Terminating, Error
Paused | Ready, Running, Terminating, Error
Error | Recovering, Terminating, Terminated
Recovering | Ready, Error, Terminating
Terminating | Terminated, Error
Terminated |
`;

const allowed = new Map(
  TABLE.trim()
    .split("\n")
    .map((line) => {
      const [from, to] = line.split("|").map((cell) => cell.trim());
      return [from, to === "" || to === undefined ? [] : to.split(", ")] as const;
    }),
);

function ready(now?: () => number): Lifecycle {
  const lifecycle = new Lifecycle("ada", now);
  lifecycle.initialize();
  return lifecycle;
}

type Step = "initialize" | "start" | "stop" | "pause" | "resume" | "recover" | "terminate" | "fail";

function take(lifecycle: Lifecycle, steps: readonly Step[]): void {
  for (const step of steps) {
    if (step === "fail") lifecycle.fail("x");
    else lifecycle[step]();
  }
}

describe("The state machine", () => {
  test.each(AGENT_STATES.flatMap((from) => AGENT_STATES.map((to) => [from, to] as const)))(
    "from %s to %s follows the table",
    (from, to) => {
      expect(mayGo(from, to)).toBe(allowed.get(from)!.includes(to));
    },
  );

  const paths: [Step[], AgentState][] = [
    [[], "Ready"],
    [["initialize"], "Ready"],
    [["start"], "Running"],
    [["start", "stop"], "Ready"],
    [["pause"], "Paused"],
    [["pause", "resume"], "Ready"],
    [["start", "pause", "resume"], "Running"],
    [["start", "pause", "stop"], "Ready"],
    [["fail"], "Error"],
    [["fail", "recover"], "Ready"],
    [["terminate"], "Terminated"],
    [["fail", "terminate"], "Terminated"],
  ];
  test.each(paths)("by %p a ready agent comes to %s", (steps, state) => {
    const lifecycle = ready();
    take(lifecycle, steps);
    expect(lifecycle.state).toBe(state);
  });

  const illegal: Step[][] = [
    ["stop"],
    ["resume"],
    ["recover"],
    ["start", "start"],
    ["start", "initialize"],
    ["pause", "pause"],
    ["terminate", "start"],
    ["terminate", "initialize"],
    ["terminate", "fail"],
    ["terminate", "terminate"],
  ];
  test.each(illegal.map((steps) => [steps]))("refuses the last of %p", (steps) => {
    const lifecycle = ready();
    take(lifecycle, steps.slice(0, -1));
    expect(() => take(lifecycle, steps.slice(-1))).toThrow(
      /^Cannot change the state of agent "ada": \w+ does not lead to \w+$/,
    );
  });

  test("says where one may go instead", () => {
    try {
      ready().stop();
      throw new Error("not refused");
    } catch (error) {
      expect(error).toMatchObject({
        message: 'Cannot change the state of agent "ada": Ready does not lead to Ready',
        hint: "From Ready it may go to Running, Paused, Terminating, Error",
      });
    }
  });

  test("keeps a history with times and reasons", () => {
    let clock = 1000;
    const lifecycle = ready(() => clock);
    clock = 4000;
    lifecycle.pause();
    clock = 4500;
    lifecycle.fail("no more paper");
    expect(lifecycle.history).toEqual([
      { from: "Uninitialized", to: "Initializing", atMs: 1000, elapsedMs: 0 },
      { from: "Initializing", to: "Ready", atMs: 1000, elapsedMs: 0 },
      { from: "Ready", to: "Paused", atMs: 4000, elapsedMs: 3000 },
      { from: "Paused", to: "Error", atMs: 4500, elapsedMs: 500, reason: "no more paper" },
    ]);
    clock = 5000;
    expect(lifecycle.totals).toMatchObject({ transitions: 4, errors: 1, uptimeMs: 4000 });
    expect(lifecycle.totals.timeInStateMs.get("Error")).toBe(500);
    expect(lifecycle.lastError).toBe("no more paper");
  });
});

describe("A turn in the state machine", () => {
  test("goes from Ready to Running and back", () => {
    const lifecycle = ready();
    const end = lifecycle.beginTurn();
    expect(lifecycle.state).toBe("Running");
    end();
    expect(lifecycle.state).toBe("Ready");
  });

  test("leaves a started agent running", () => {
    const lifecycle = ready();
    lifecycle.start();
    lifecycle.beginTurn()();
    expect(lifecycle.state).toBe("Running");
  });

  test("that fails leaves the agent ready and the error noted", () => {
    const lifecycle = ready();
    lifecycle.beginTurn()("no network");
    expect(lifecycle.state).toBe("Ready");
    expect(lifecycle.lastTurnError).toBe("no network");
    lifecycle.beginTurn()();
    expect(lifecycle.lastTurnError).toBeUndefined();
    expect(lifecycle.lastError).toBe("no network");
  });

  test("that is paused inside resumes to Ready", () => {
    const lifecycle = ready();
    const end = lifecycle.beginTurn();
    lifecycle.pause();
    end();
    expect(lifecycle.state).toBe("Paused");
    lifecycle.resume();
    expect(lifecycle.state).toBe("Ready");
  });

  test("is refused while the agent is paused", () => {
    const lifecycle = ready();
    lifecycle.pause();
    expect(() => lifecycle.beginTurn()).toThrow('Cannot run agent "ada": it is Paused');
  });

  test("recovers an agent in Error, three times without a success between", () => {
    const lifecycle = ready();
    for (let i = 0; i < 3; i++) {
      lifecycle.fail("x");
      lifecycle.beginTurn()("again");
    }
    expect(lifecycle.recoveryAttempts).toBe(3);
    lifecycle.fail("x");
    expect(() => lifecycle.beginTurn()).toThrow(/at most 3 attempts/);
    expect(lifecycle.state).toBe("Error");
  });

  test("that succeeds allows three recoveries anew", () => {
    const lifecycle = ready();
    for (let i = 0; i < 10; i++) {
      lifecycle.fail("x");
      lifecycle.beginTurn()();
    }
    expect(lifecycle.state).toBe("Ready");
    expect(lifecycle.recoveryAttempts).toBe(0);
  });
});
