// Puts the packages of package-lock.json into a folder: install.mjs FOLDER. Says what is missing.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const folder = process.argv[2];
const files = ['package.json', 'package-lock.json', '.npmrc'];
const needed = { npm: ['--version'], chromium: ['--version'], 'redis-server': ['--version'] };

for (const [program, args] of Object.entries(needed)) {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
  } catch (error) {
    console.error(`${program} does not run (${error.code ?? error.status}): run tools/bootstrap`);
    process.exit(1);
  }
}

// Nothing is asked of the network when the same was installed before.
const wanted = readFileSync(path.join(here, 'package-lock.json'), 'utf8');
const stamp = path.join(folder, 'installed.json');
if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) process.exit(0);
mkdirSync(folder, { recursive: true });
for (const file of files) copyFileSync(path.join(here, file), path.join(folder, file));
execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
  cwd: folder,
  stdio: 'inherit',
});
writeFileSync(stamp, wanted);
