// Calls a compute-unit server with the official Node.js client: one scenario, or several by names joined with "+".
// Every call becomes one line of JSON on standard output. The client is used as its package ships it.

import {existsSync, readFileSync} from 'node:fs';
import {setTimeout as sleep} from 'node:timers/promises';

const BASE_URL = 'QIANFAN_CONSOLE_API_BASE_URL';
const SERVICE = 'svco-48esssdpa594';
const UNITS = '/v2/computeunit';
const SERVICE_UNITS = '/v2/serviceresources';

function refuse(reason) {
    console.error(`refused to start: ${reason}`);
    process.exit(2);
}

function isLoopback(address) {
    try {
        const {hostname} = new URL(address);
        return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
    } catch {
        return false;
    }
}

// The client's default is a real cloud, so nothing starts without an address of this machine.
function stayOnThisMachine() {
    if (!isLoopback(process.env[BASE_URL])) refuse(`${BASE_URL} must name a loopback host`);
    if (existsSync('.env')) refuse('a .env file here could send the client elsewhere');
    for (const name of Object.keys(process.env)) {
        if (/_proxy$/i.test(name) || /^QIANFAN_(AK|SK|PROXY)$/.test(name)) delete process.env[name];
    }
}

stayOnThisMachine();

const {consoleAction, setEnvVariable} = await import('@baiducloud/qianfan');

function emit(call, facts) {
    process.stdout.write(`${JSON.stringify({call, ...facts})}\n`);
}

// Runs one call, writes its line, and gives back its result, or undefined after an error.
async function call(name, route, action, data) {
    try {
        const {result, requestId, error_code: swallowed} = await ask(route, action, data);
        // The client gives an error back as if it were an answer when its own retries are used up.
        if (swallowed !== undefined) throw new Error(`resolved with error_code ${swallowed}`);
        emit(name, {ok: true, result, requestId, error: null, kind: null});
        return result;
    } catch (problem) {
        emit(name, {ok: false, result: null, error: String(problem.message), kind: problem.constructor.name});
        return undefined;
    }
}

// Without data the client sends no body at all, which is a form of its own that a server must take.
function ask(route, action, data) {
    return consoleAction({base_api_route: route, action, ...(data && {data})});
}

function describe(name, instanceId) {
    return call(name, UNITS, 'DescribeComputeUnit', {instanceId});
}

// Asks without a line of output until the unit is in the wanted status, at most 20 seconds.
async function waitForUnit(instanceId, wanted) {
    for (let tries = 0; tries < 100; tries += 1) {
        try {
            const {result} = await ask(UNITS, 'DescribeComputeUnit', {instanceId});
            if (result.computeUnitInstance.status === wanted) return;
        } catch {
            return; // The reported call that follows will show it.
        }
        await sleep(200);
    }
}

async function buyByTheMinute(name, billing = {}) {
    const bought = await call(name, UNITS, 'PurchaseComputeUnit', {
        computeUnitCount: 1,
        computeUnitConfig: {region: 'bj', type: 'gpu-1'},
        billing: {paymentTiming: 'Postpaid', ...billing},
    });
    return bought?.instanceId ?? '';
}

async function purchasePrepaid() {
    const reservation = {reservationTimeUnit: 'Month', reservationLength: 5};
    const billing = {paymentTiming: 'Prepaid', reservation};
    await call('purchase', SERVICE_UNITS, 'PurchaseComputeUnit', {serviceId: SERVICE, billing, replicasCount: 5});
}

async function purchasePostpaid() {
    const instanceId = await buyByTheMinute('purchase', {releaseTime: '2030-01-15T09:30:00+08:00'});
    await describe('describe', instanceId);
}

async function releaseSchedule(instanceId = 'unit-xxx') {
    for (const [path, prefix] of [[UNITS, 'unit'], [SERVICE_UNITS, 'service']]) {
        const schedule = async (step, releaseTime) => {
            await call(`${prefix}-${step}`, path, 'AutoReleaseComputeUnit', {instanceId, releaseTime});
            await describe(`${prefix}-after-${step}`, instanceId);
        };
        await schedule('set', '2030-01-15 09:30:00');
        await schedule('move', '2030-02-01T00:00:00+00:00');
        await schedule('clear', undefined); // An undefined value never reaches the body.
    }
}

async function releaseNow() {
    const instanceId = await buyByTheMinute('purchase');
    await call('release', UNITS, 'ReleaseComputeUnit', {instanceId});
    await waitForUnit(instanceId, 'Released');
    await describe('describe', instanceId);
}

async function errors() {
    await describe('unknown-instance', 'unit-nowhere0');
    await buyByTheMinute('bad-value', {paymentTiming: 'Sometimes'});
    await call('unknown-action', UNITS, 'BorrowComputeUnit', {});
    const secretKey = process.env.QIANFAN_SECRET_KEY;
    setEnvVariable('QIANFAN_SECRET_KEY', '0'.repeat(32));
    await call('wrong-secret', UNITS, 'DescribeComputeUnits', {});
    setEnvVariable('QIANFAN_SECRET_KEY', secretKey);
    setEnvVariable('QIANFAN_ACCESS_KEY', 'AKNOBODY00000000');
    await call('wrong-access-key', UNITS, 'DescribeComputeUnits', {});
}

async function describeAll() {
    await call('units', UNITS, 'DescribeComputeUnits', {paymentTiming: 'Postpaid', region: 'bj'});
    await call('units-without-a-body', UNITS, 'DescribeComputeUnits');
    await call('units-with-nulls', UNITS, 'DescribeComputeUnits', {paymentTiming: null, type: null});
    await call('service-units', SERVICE_UNITS, 'DescribeComputeUnits', {serviceId: SERVICE});
    await call('services', '/v2/service', 'DescribeServices', {maxKeys: 10});
    await call('service', '/v2/service', 'DescribeService', {serviceId: SERVICE});
    await call('account', '/v2/account', 'DescribeAccount');
    await call('orders', '/v2/account', 'DescribeOrders');
    await call('offerings', '/v2/catalog', 'DescribeOfferings');
}

// Puts what earlier steps answered in the place of their names.
function filled(value, answered) {
    if (Array.isArray(value)) return value.map((inner) => filled(inner, answered));
    if (value !== null && typeof value === 'object') {
        return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, filled(inner, answered)]));
    }
    if (typeof value !== 'string' || !value.startsWith('$')) return value;
    return value.slice(1).split('.').reduce((found, name) => found[name], answered);
}

async function play(file) {
    const answered = {};
    for (const {call: name, route, action, body} of JSON.parse(readFileSync(file, 'utf8'))) {
        answered[name] = await call(name, route, action, filled(body, answered));
    }
}

async function burst(count) {
    for (let bought = 0; bought < Number(count); bought += 1) await buyByTheMinute('purchase');
}

const SCENARIOS = {
    'purchase-prepaid': purchasePrepaid,
    'purchase-postpaid': purchasePostpaid,
    'release-schedule': releaseSchedule,
    'release-now': releaseNow,
    errors,
    describe: describeAll,
    play,
    burst,
};

const [chosen, ...rest] = process.argv.slice(2);
const names = (chosen ?? '').split('+');
if (!names.every((name) => Object.hasOwn(SCENARIOS, name))) {
    refuse(`name one of these scenarios: ${Object.keys(SCENARIOS).join(', ')}`);
}
for (const name of names) {
    if (names.length > 1) emit('', {ok: true, result: name});
    await SCENARIOS[name](...rest);
}
