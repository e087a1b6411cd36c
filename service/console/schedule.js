// The fields of a schedule: on weekdays within a window, or every so many hours.
import { h, uniqueId } from './dom.js';
import { checkbox, field, radio } from './ui.js';

const days = [
  ['mon', 'Mon'],
  ['tue', 'Tue'],
  ['wed', 'Wed'],
  ['thu', 'Thu'],
  ['fri', 'Fri'],
  ['sat', 'Sat'],
  ['sun', 'Sun'],
];

export const everyDay = {
  days: days.map(([id]) => id),
  start: '02:00',
  window_minutes: 60,
  every_hours: 0,
  time_zone: 'UTC',
};

let zones = null;
/// The names of time zones that the browser knows, once in the page.
function zoneList() {
  if (!zones) {
    zones = h(
      'datalist',
      { id: 'time-zones' },
      ['UTC', ...(Intl.supportedValuesOf?.('timeZone') ?? [])].map((zone) =>
        h('option', { value: zone }),
      ),
    );
    document.body.append(zones);
  }
  return zones.id;
}

export function numberInput(value, props = {}) {
  return h('input', {
    type: 'number',
    min: 0,
    step: 1,
    inputmode: 'numeric',
    value: String(value),
    ...props,
  });
}

/// {node, read() -> SCHEDULE, setDisabled}. `what` is said by the legends: "Backups".
export function scheduleFields(schedule, what) {
  const group = uniqueId('mode');
  const byDays = radio('On weekdays, within a window', group, { checked: !schedule.every_hours });
  const byHours = radio('Every few hours', group, { checked: schedule.every_hours > 0 });
  const boxes = days.map(([id, label]) => [
    id,
    checkbox(label, { checked: schedule.days.includes(id) }),
  ]);
  const start = h('input', { type: 'time', value: schedule.start ?? '02:00', required: true });
  const minutes = numberInput(schedule.window_minutes, { min: 1, max: 1440 });
  const hours = numberInput(schedule.every_hours || 6, { min: 1, max: 168 });
  const zone = h('input', {
    type: 'text',
    list: zoneList(),
    value: schedule.time_zone,
    spellcheck: 'false',
  });
  const dayPart = h(
    'div',
    {},
    h(
      'div',
      { class: 'days', role: 'group', 'aria-label': `Weekdays of ${what}` },
      boxes.map(([, box]) => box.node),
    ),
    h(
      'div',
      { class: 'fields' },
      field('Start', start),
      field('Window, minutes', minutes, {
        hint: 'The start lies somewhere within, spread over the instances.',
      }),
    ),
  );
  const hourPart = h(
    'div',
    { class: 'fields' },
    field('Every, hours', hours, { hint: '1 to 168, counted from Monday 00:00.' }),
  );
  const show = () => {
    dayPart.hidden = !byDays.input.checked;
    hourPart.hidden = byDays.input.checked;
  };
  byDays.input.addEventListener('change', show);
  byHours.input.addEventListener('change', show);
  show();
  const node = h(
    'div',
    { class: 'schedule' },
    h(
      'div',
      { class: 'choices', role: 'radiogroup', 'aria-label': `When: ${what}` },
      byDays.node,
      byHours.node,
    ),
    dayPart,
    hourPart,
    field('Time zone', zone),
  );
  const read = () => ({
    days: boxes.filter(([, box]) => box.input.checked).map(([id]) => id),
    start: start.value,
    window_minutes: Number(minutes.value),
    every_hours: byHours.input.checked ? Number(hours.value) : 0,
    time_zone: zone.value.trim(),
  });
  return { node, read };
}

/// A schedule that may be absent: a box turns it on.
export function optionalSchedule(schedule, what, label) {
  const inner = scheduleFields(schedule ?? everyDay, what);
  const box = checkbox(label, { checked: schedule !== null });
  const part = h('div', {}, inner.node);
  const show = () => {
    part.hidden = !box.input.checked;
  };
  box.input.addEventListener('change', show);
  show();
  return {
    node: h('div', {}, box.node, part),
    read: () => (box.input.checked ? inner.read() : null),
  };
}
