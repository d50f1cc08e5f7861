import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {startLeasebook} from './leasebook.mjs';

const UNITS = '/v2/computeunit';
const ONE = {billing: {paymentTiming: 'Postpaid'}, computeUnitConfig: {type: 'gpu-1', region: ''}, computeUnitCount: 1};
let service;
before(async () => { service = await startLeasebook(); });
after(() => service.stop());

test('a unit runs for eight hours, and is paid for to the minute', () => {
    service.given({type: 'gpu-1', stock: 1, balance: 1000});
    const {instanceId} = service.call(UNITS, 'PurchaseComputeUnit', ONE);
    service.advance(8);
    service.call(UNITS, 'ReleaseComputeUnit', {instanceId});
    assert.equal(service.call('/v2/account', 'DescribeAccount').balance, '904.00');
});

test('a purchase that the service refuses changes nothing', () => {
    service.fail('InsufficientStock', 'PurchaseComputeUnit');
    assert.throws(() => service.call(UNITS, 'PurchaseComputeUnit', ONE), /InsufficientStock/);
    assert.equal(service.call('/v2/account', 'DescribeAccount').balance, '904.00');
});
