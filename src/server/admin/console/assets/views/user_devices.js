/** The device keys of a user. */

import { setDeviceActive } from '../actions/users.js'
import { Section } from '../components/page.js'
import { Action, NeedsScope, State } from '../components/state.js'
import { More, Table } from '../components/table.js'
import { Time } from '../components/time.js'
import { path } from '../core/address.js'
import { useListing } from '../core/load.js'
import { html } from '../vendor/htm_preact.js'

export function DeviceSection(props) {
  return html`
    <${Section} id="devices" title="Device keys">
      <${NeedsScope} scope="devices" what="Device keys are"><${Devices} ...${props} /><//>
    <//>
  `
}

function Devices({ user, turn, reload }) {
  const listing = useListing(`v1/${path('users', user, 'devices')}`, 'devices', '', turn)
  const columns = [
    { name: 'Device key', cell: identity },
    { name: 'Client', cell: ({ user_agent }) => user_agent || html`<span class="faint">no user agent</span>` },
    { name: 'Made', cell: ({ created_at }) => html`<${Time} at=${created_at} />` },
    { name: 'Last login', cell: ({ last_login }) => html`<${Time} at=${last_login} />` },
    { name: 'Actions', isHiddenName: true, cell: (device) => html`<${Switch} device=${device} reload=${reload} />` },
  ]
  return html`
    <${State} loaded=${listing}>
      <${Table}
        label=${`Device keys of ${user}`} columns=${columns} rows=${listing.entries} keyOf=${({ uuid }) => uuid}
        empty="The user has no device key." classOf=${({ is_active }) => (is_active ? '' : 'past')}
      />
      <${More} listing=${listing} />
    <//>
  `
}

function identity({ name, uuid, is_active }) {
  return html`
    ${name && html`<strong>${name}</strong> `}<code class="long">${uuid}</code>
    ${!is_active && html` <span class="badge bad">inactive</span>`}
  `
}

function Switch({ device, reload }) {
  const action = device.is_active ? 'Deactivate' : 'Activate'
  return html`
    <div class="buttons">
      <${Action}
        scope="devices" danger=${device.is_active} label=${`${action} the device key ${device.name ?? device.uuid}`}
        onClick=${() => setDeviceActive(device, !device.is_active, reload)}
      >
        ${action}
      <//>
    </div>
  `
}
