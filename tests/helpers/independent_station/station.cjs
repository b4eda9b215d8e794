// A charging station by a library that is not ours: `ocpp-rpc`, in strict mode.
//
// It says what it is told, and tells what it hears, in lines of JSON:
//   in   {"id": 1, "call": "Heartbeat", "params": {}}      say this
//        {"reply": "ClearCache", "params": {...}}          answer this from now on
//   out  {"id": 1, "result": {...}} or {"id": 1, "error": {"code", "text"}}
//        {"asked": "ClearCache", "params": {...}}          the CSMS wants something
//        {"wrong": "..."}                                  something broke the rules of OCPP
//        {"connected": "ocpp1.6"}, {"closed": 1001}
"use strict";

const readline = require("node:readline");
const { RPCClient, createRPCError, createValidator } = require("ocpp-rpc");

const [endpoint, identity, password, protocol] = process.argv.slice(2);
const replies = new Map();

const tell = (said) => process.stdout.write(`${JSON.stringify(said)}\n`);

// The library looks for the schemas of 2.1 under the names that those of older versions have.
const schemas = require("ocpp-rpc/lib/schemas/ocpp2_1.json").map((schema) => ({
  ...schema,
  $id: schema.$id.replace(/Request$/, ".req").replace(/Response$/, ".conf"),
}));

const station = new RPCClient({
  endpoint,
  identity,
  password,
  protocols: [protocol],
  strictMode: true,
  strictModeValidators: [createValidator("ocpp2.1", schemas)],
  callTimeoutMs: 10_000,
});

station.on("badMessage", ({ error }) => tell({ wrong: `bad message: ${error.message}` }));
station.on("strictValidationFailure", ({ method, error }) =>
  tell({ wrong: `${method}: ${error.message} ${JSON.stringify(error.details)}` }),
);
station.on("close", ({ code }) => tell({ closed: code }));

station.handle(({ method, params }) => {
  tell({ asked: method, params });
  if (!replies.has(method)) throw createRPCError("NotImplemented");
  return replies.get(method);
});

async function say({ id, call, params }) {
  try {
    tell({ id, result: await station.call(call, params) });
  } catch (error) {
    tell({ id, error: { code: error.rpcErrorCode ?? error.name, text: error.message } });
  }
}

station.connect().then(
  () => tell({ connected: station.protocol }),
  (error) => tell({ refused: error.code ?? null, text: error.message }),
);

const told = readline.createInterface({ input: process.stdin });
told.on("line", (line) => {
  const order = JSON.parse(line);
  if (order.reply) replies.set(order.reply, order.params);
  else say(order);
});
told.on("close", () => station.close({ code: 1000, force: true }).then(() => process.exit(0)));
