// Backups that were removed and can still be put back.
import { h, replace } from './dom.js';
import { get, post, query } from './api.js';
import { time } from './format.js';
import { busy, button, later, section, toast } from './ui.js';
import { table } from './table.js';

export function trashSection(ctx, instance, reload) {
  const place = h('div', {});
  const list = async () => {
    const { backups } = await get(`/trash${query({ repository: instance.repository })}`, {
      signal: ctx.signal,
    });
    const own = backups.filter((b) => b.instance === instance.name);
    return table({
      caption: `Removed backups of ${instance.name}`,
      rows: own,
      none: 'The trash is empty.',
      columns: [
        { label: 'Backup', head: true, cell: (b) => h('code', {}, b.id) },
        { label: 'Removed', cell: (b) => time(b.removed_at) },
        {
          label: 'Actions',
          hidden: true,
          class: 'row-actions',
          cell: (b) =>
            button(
              'Put back',
              (event) =>
                busy(event.currentTarget, async () => {
                  await post(`/trash/${encodeURIComponent(b.id)}/restore`);
                  toast('ok', `${b.id} is listed again.`);
                  show();
                  await reload();
                }),
              { role: 'admin', kind: 'small' },
            ),
        },
      ],
    }).node;
  };
  const show = () => replace(place, later(list, ctx.signal));
  const details = h(
    'details',
    { ontoggle: () => details.open && show() },
    h('summary', {}, 'Removed backups that can be put back'),
    place,
  );
  return section('Trash', {}, details);
}
