-- Charges a reservation. KEYS: account, reservation, history. ARGV: reservation id, commit id, context tokens,
-- generated tokens. Answers {state, amount, available, replayed}.
local known = redis.call('GET', KEYS[2])
if not known then return redis.error_reply('RESERVATION_NOT_FOUND') end
local state, amount, contents, commit = string.match(known, '^(%d)|(%d+)|([^|]*|%d+|%d+)|(.*)$')
local used = ARGV[3] * 1000 + ARGV[4] * 5000
if state ~= '1' then
    if commit ~= ARGV[2] or tonumber(amount) ~= used then return redis.error_reply('RESERVATION_CLOSED') end
    return {tonumber(state), used, tonumber(redis.call('HGET', KEYS[1], 'available')), 1}
end
local asked = tonumber(amount)
local account = redis.call('HMGET', KEYS[1], 'available', 'held')
local available, held = tonumber(account[1]) + asked - used, tonumber(account[2]) - asked
if available < 0 then return redis.error_reply('INSUFFICIENT_CREDITS') end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'available', string.format('%d', available), 'held', string.format('%d', held))
redis.call('SET', KEYS[2], string.format('2|%d|%s|%s', used, contents, ARGV[2]))
redis.call('RPUSH', KEYS[3], string.format('%s%06d|2|%s|%d|%d', time[1], time[2], ARGV[1], used, available))
return {2, used, available, 0}
