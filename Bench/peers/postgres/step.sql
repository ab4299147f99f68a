-- One step a transaction, a reserve and then its commit in turn, each client on its own. Ids rise with the client's
-- count; a wrong answer ends the client, which makes pgbench fail.
\if :is_open
SELECT * FROM commit_reservation(:tenant, :high, :low, :high, :commit_low, :expected, :generated) \gset
\set wrong :state <> 2 or :amount <> :expected * 1000 + :generated * 5000 or :replayed <> 0
\set is_open false
\else
\set count :count + 1
\set tenant 1 + (:count * :clients + :client_id) % :tenants
\set high :run + :count
\set low 1 + :client_id * 1000000000 + random(0, 999999999)
\set commit_low -:low
\set expected random(100, 4000)
\set generated random(10, 400)
SELECT * FROM reserve(:tenant, :high, :low, 'chat', :expected, :generated + 100) \gset
\set wrong :state <> 1 or :amount <> :expected * 1000 + (:generated + 100) * 5000 or :replayed <> 0
\set is_open true
\endif
\if :wrong
\set stop 1 / 0
\endif
