/** An operator's day with programs of its own. installed.test.js has the same day with an installed service. */

import { test } from 'node:test'
import { operatorsDay } from '../support/day.js'
import { stage } from '../support/stage.js'

const at = stage()

test('an operator finds a user, ends a takeover, logs the user out elsewhere, and sees an outage', () =>
  operatorsDay(at.browser, at.node, at.redis))
