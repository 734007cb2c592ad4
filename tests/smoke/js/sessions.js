// A web application that keeps its sessions in kv: express, express-session and connect-redis.

const assert = require("node:assert/strict");
const express = require("express");
const session = require("express-session");
const { RedisStore } = require("connect-redis");
const { createClient } = require("redis");

async function main() {
  const client = await createClient({ socket: { host: "127.0.0.1", port: Number(process.argv[2]) } }).connect();
  await client.flushAll();
  const store = new RedisStore({ client, prefix: "sess:", ttl: 600 });
  const application = express();
  application.use(session({ store, secret: "of the test", resave: false, saveUninitialized: false }));
  application.get("/", (request, response) => {
    request.session.visits = (request.session.visits ?? 0) + 1;
    response.json(request.session.visits);
  });
  application.get("/leave", (request, response) => request.session.destroy(() => response.json("left")));
  const server = await new Promise((resolve) => {
    const listening = application.listen(0, "127.0.0.1", () => resolve(listening));
  });
  let cookie = "";
  const visit = async (path) => {
    const response = await fetch(`http://127.0.0.1:${server.address().port}${path}`, { headers: { cookie } });
    cookie = response.headers.get("set-cookie")?.split(";")[0] ?? cookie;
    return response.json();
  };
  assert.equal(await visit("/"), 1);
  assert.equal(await visit("/"), 2);
  const [key] = await client.keys("sess:*");
  const left = await client.ttl(key);
  assert.ok(left > 0 && left <= 600);
  assert.equal((await new Promise((resolve) => store.all((_, found) => resolve(found)))).length, 1);
  assert.equal(await visit("/leave"), "left");
  assert.equal(await client.exists(key), 0);
  assert.equal(await visit("/"), 1);
  server.close();
  await client.close();
}

main().then(
  () => {
    console.log("all passed");
    process.exit(0);
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
