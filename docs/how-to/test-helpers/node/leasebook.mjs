// Starts a service with a virtual clock for a test, and drives it with the command `leasebook`.
import {execFileSync, spawn} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';

const COMMAND = process.env.LEASEBOOK_TEST_COMMAND ?? 'leasebook';

export async function startLeasebook() {
    const folder = mkdtempSync(join(tmpdir(), 'leasebook-'));
    const file = join(folder, 'ready.json');
    const server = spawn(
        COMMAND,
        ['serve', '--clock', 'virtual', '--port', '0', '--ready-file', file, '--data', join(folder, 'data'), '--faults'],
        {stdio: ['ignore', 'ignore', 'inherit'], env: {...process.env, LEASEBOOK_ENGINES: '*=instant'}},
    );
    const ended = new Promise(resolve => server.once('exit', resolve));
    while (!existsSync(file)) {
        if (server.exitCode !== null) {
            throw new Error(`leasebook serve ended with ${server.exitCode}`);
        }
        await sleep(20);
    }
    const {url, accessKey, secretKey} = JSON.parse(readFileSync(file, 'utf8'));
    // The variables of the official client, which reads them when it is first used.
    const variables = {QIANFAN_ACCESS_KEY: accessKey, QIANFAN_SECRET_KEY: secretKey, QIANFAN_CONSOLE_API_BASE_URL: url};
    Object.assign(process.env, variables);

    function call(path, action, body = {}) {
        const given = ['call', '--url', url, path, action, JSON.stringify(body)];
        const options = {encoding: 'utf8', env: {...process.env, ...variables}, stdio: 'pipe'};
        try {
            return JSON.parse(execFileSync(COMMAND, given, options)).result;
        } catch (error) {
            throw new Error(`${action}: ${error.stdout}${error.stderr}`);
        }
    }

    return {
        url,
        call,
        given({type, stock, balance}) {
            call('/v2/catalog', 'SetOffering', {region: 'bj', type, stockTotal: stock, pricePerMinute: '0.2'});
            call('/v2/account', 'TopUpAccount', {amount: String(balance)});
        },
        advance(hours) {
            const now = new Date(call('/v2/clock', 'DescribeClock').now);
            return call('/v2/clock', 'AdvanceClock', {to: new Date(now.getTime() + hours * 3_600_000).toISOString()}).now;
        },
        fail(kind, action, count = 1) {
            call('/v2/faults', 'SetFaults', {faults: [{kind, action, count}]});
        },
        async stop() {
            server.kill('SIGTERM');
            await ended;
            rmSync(folder, {recursive: true});
        },
    };
}
