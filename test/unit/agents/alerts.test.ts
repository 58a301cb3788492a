import { describe, expect, test } from "bun:test";
import { AgentAlerts, type AlertCondition, type AlertRule } from "../../../src/agents/alerts.ts";

function setup() {
  const state = {
    seconds: 0,
    values: { requests_total: 0, error_rate: 0 },
    status: "Healthy" as "Healthy" | "Unhealthy",
  };
  const alerts = new AgentAlerts(
    () => state.values,
    () => ({ status: state.status }),
    () => state.seconds * 1000,
  );
  return { state, alerts };
}

const rule = (condition: AlertCondition, more: Partial<AlertRule> = {}): AlertRule => ({
  name: "r",
  severity: "warning",
  enabled: true,
  condition,
  ...more,
});

const busy: AlertCondition = {
  type: "metric_threshold",
  metricName: "requests_total",
  operator: ">",
  threshold: 5,
  durationSeconds: 60,
};

describe("An alert", () => {
  test("on a metric comes once it has been over the threshold for long enough, and once only", () => {
    const { state, alerts } = setup();
    alerts.configure(rule(busy));
    state.values.requests_total = 6;
    alerts.check();
    state.seconds = 59;
    expect(alerts.list()).toEqual([]);
    state.seconds = 60;
    expect(alerts.list()).toEqual([
      { rule: "r", severity: "warning", message: "requests_total is 6 (> 5)", atMs: 60_000 },
    ]);
    state.seconds = 600;
    expect(alerts.list()).toHaveLength(1);
  });

  test("starts anew when the condition has been away in between", () => {
    const { state, alerts } = setup();
    alerts.configure(rule({ ...busy, durationSeconds: 0 }));
    for (const total of [6, 5, 6]) {
      state.values.requests_total = total;
      alerts.check();
    }
    expect(alerts.list()).toHaveLength(2);
  });

  test("comes again after its cooldown while the condition lasts", () => {
    const { state, alerts } = setup();
    alerts.configure(rule({ type: "health_status", status: "unhealthy" }, { cooldownSeconds: 10 }));
    state.status = "Unhealthy";
    for (const seconds of [0, 5, 10, 15, 20]) {
      state.seconds = seconds;
      alerts.check();
    }
    expect(alerts.list().map((alert) => alert.atMs / 1000)).toEqual([0, 10, 20]);
  });

  test("on the error rate compares percent", () => {
    const { state, alerts } = setup();
    alerts.configure(rule({ type: "error_rate", ratePercent: 25 }));
    state.values.error_rate = 0.25;
    expect(alerts.list()).toEqual([]);
    state.values.error_rate = 0.5;
    expect(alerts.list()).toMatchObject([{ message: "Error rate is 50.0 % (above 25 %)" }]);
  });

  test("that is switched off never comes, and unknown metrics are refused with the nearest name", () => {
    const { state, alerts } = setup();
    alerts.configure(rule({ ...busy, durationSeconds: 0 }, { enabled: false }));
    state.values.requests_total = 100;
    expect(alerts.list()).toEqual([]);
    try {
      alerts.configure(rule({ ...busy, metricName: "request_total" }));
      throw new Error("not refused");
    } catch (error) {
      expect(error).toMatchObject({ code: "invalid_argument", hint: 'Did you mean "requests_total"?' });
    }
  });
});
