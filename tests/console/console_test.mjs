// The console from the first start to the audit log, as one story: each test goes on where the one
// before it ended, in a real Chromium, against `sluice serve` and real servers.
import { after, before, describe } from 'node:test';
import { setUp, takeDown } from './stage.mjs';

describe('console', async () => {
  before(setUp);
  after(takeDown);
  await import('./story_backups.mjs');
  await import('./story_contents.mjs');
  await import('./story_recovery.mjs');
  await import('./story_access.mjs');
});
