-- pgbench: its built-in scripts
1| SELECT abalance FROM pgbench_accounts WHERE aid = 17
1| SELECT abalance FROM pgbench_accounts WHERE aid = $1 @@ (42,)
5| SELECT count(*) FROM pgbench_branches
8| SELECT bid, sum(abalance), min(abalance), max(abalance) FROM pgbench_accounts GROUP BY bid ORDER BY bid
