'use strict'
// Runs one scenario of a table by name, or lists their names. What a scenario leaves open keeps the process alive,
// which the caller's time-out then reports: a client that closed everything ends by itself.

const { setTimeout: sleep } = require('node:timers/promises')

exports.run = async (scenarios) => {
  const name = process.argv[2]
  if (name === undefined) {
    console.log(Object.keys(scenarios).join('\n'))
    return
  }
  await scenarios[name]()
  console.log(`done: ${name}`)
}

// Ask until the answer is true; for states of another session, which PostgreSQL announces to nobody.
exports.until = async (question) => {
  const deadline = Date.now() + 15000
  while (!(await question())) {
    if (Date.now() > deadline) throw new Error(`never happened: ${question}`)
    await sleep(20)
  }
}

// A promise together with its resolver.
exports.deferred = () => {
  const it = {}
  it.promise = new Promise((resolve, reject) => Object.assign(it, { resolve, reject }))
  return it
}
