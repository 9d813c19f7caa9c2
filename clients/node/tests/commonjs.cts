/** A CommonJS module that uses every entry of the package. `packaging.test.ts` runs it. */

import doorward = require('doorward')
import express = require('doorward/express')
import fastify = require('doorward/fastify')

async function check(): Promise<doorward.Verdict | string> {
  try {
    return await new doorward.Validator('http://127.0.0.1:1').check('dw_made-up')
  } catch (error) {
    if (error instanceof doorward.Unavailable) return error.name
    throw error
  }
}

void check().then((result) => console.log(result, typeof express.required, typeof fastify.doorward))
