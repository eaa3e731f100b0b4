import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLWarning;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.xa.PGXADataSource;

/** What concerns a whole session: cancelling, notifications, warnings, XA, TLS, many at once. */
final class Sessions {
    static void register(Map<String, Main.Scenario> scenarios) {
        scenarios.put("cancel", Sessions::cancel);
        scenarios.put("query time-out", Sessions::queryTimeout);
        scenarios.put("notifications and warnings", Sessions::notifications);
        scenarios.put("two-phase commit through XA", Sessions::twoPhaseCommit);
        scenarios.put("concurrent sessions", Sessions::concurrent);
        scenarios.put("terminated backend", Sessions::terminated);
        scenarios.put("TLS", Sessions::tls);
    }

    private static void cancel() throws Exception {
        try (Connection connection = Database.connect(); Statement statement = connection.createStatement()) {
            ExecutorService executor = Executors.newSingleThreadExecutor();
            for (int round = 0; round < 3; round++) {
                String query = "SELECT pg_sleep(" + (1000 + round) + ")";
                Future<?> cancelling = executor.submit(() -> {
                    Database.awaitRunning(query);
                    statement.cancel();
                    return null;
                });
                Database.fails("57014", () -> statement.execute(query));
                cancelling.get();
                Database.equal("1", Database.value(connection, "SELECT 1"));
            }
            executor.shutdown();
        }
    }

    private static void queryTimeout() throws Exception {
        try (Connection connection = Database.connect("options", "-c statement_timeout=20s");
            PreparedStatement statement = connection.prepareStatement("SELECT pg_sleep(?)")) {
            Database.equal("20s", Database.value(connection, "SHOW statement_timeout"));
            statement.setQueryTimeout(1);
            statement.setInt(1, 1000);
            Database.fails("57014", statement::execute);
            statement.setInt(1, 0);
            Database.check(statement.execute(), "no result");
        }
    }

    private static void notifications() throws Exception {
        try (Connection connection = Database.connect(); Connection other = Database.connect()) {
            Database.execute(connection, "LISTEN news");
            Database.execute(other, "NOTIFY news, 'from another session'");
            PGNotification[] heard = connection.unwrap(PGConnection.class).getNotifications(15_000);
            Database.check(heard != null && heard.length == 1, "one notification");
            Database.equal("from another session", heard[0].getParameter());
            try (Statement statement = connection.createStatement()) {
                statement.execute("DO $$ BEGIN FOR n IN 1..30 LOOP RAISE WARNING 'careful %', n; END LOOP; END $$");
                int warnings = 0;
                for (SQLWarning warning = statement.getWarnings(); warning != null; warning = warning.getNextWarning()) {
                    Database.equal("careful " + ++warnings, warning.getMessage());
                }
                Database.equal(30, warnings);
            }
        }
    }

    private static void twoPhaseCommit() throws Exception {
        PGXADataSource source = new PGXADataSource();
        source.setUrl(Database.url());
        source.setUser(System.getenv("PGUSER"));
        source.setPassword(System.getenv("PGPASSWORD"));
        source.setSslMode("disable");
        javax.sql.XAConnection xa = source.getXAConnection();
        Connection connection = xa.getConnection();
        Database.execute(connection, "CREATE TABLE t (n int)");
        byte[] global = (System.getenv("PGPORT") + System.getenv("PGDATABASE")).getBytes(java.nio.charset.StandardCharsets.UTF_8);
        for (int n = 0; n < 2; n++) {
            byte[] branch = {(byte) n};
            javax.transaction.xa.Xid xid = new javax.transaction.xa.Xid() {
                @Override public int getFormatId() {
                    return 1;
                }

                @Override public byte[] getGlobalTransactionId() {
                    return global;
                }

                @Override public byte[] getBranchQualifier() {
                    return branch;
                }
            };
            xa.getXAResource().start(xid, javax.transaction.xa.XAResource.TMNOFLAGS);
            Database.execute(connection, "INSERT INTO t VALUES (" + n + ")");
            xa.getXAResource().end(xid, javax.transaction.xa.XAResource.TMSUCCESS);
            Database.equal(javax.transaction.xa.XAResource.XA_OK, xa.getXAResource().prepare(xid));
            if (n == 0) {
                xa.getXAResource().commit(xid, false);
            } else {
                xa.getXAResource().rollback(xid);
            }
        }
        Database.equal("{0}", Database.value(connection, "SELECT array_agg(n) FROM t"));
        xa.close();
    }

    private static void concurrent() throws Exception {
        try (Connection connection = Database.connect()) {
            Database.execute(connection, "CREATE TABLE counter (n int); INSERT INTO counter VALUES (0)");
        }
        ExecutorService executor = Executors.newFixedThreadPool(10);
        List<Callable<Void>> tasks = new ArrayList<>();
        for (int task = 0; task < 10; task++) {
            tasks.add(() -> {
                try (Connection connection = Database.connect()) {
                    connection.setAutoCommit(false);
                    for (int n = 0; n < 20; n++) {
                        Database.execute(connection, "UPDATE counter SET n = n + 1");
                        connection.commit();
                    }
                }
                return null;
            });
        }
        for (Future<Void> finished : executor.invokeAll(tasks)) {
            finished.get();
        }
        executor.shutdown();
        try (Connection connection = Database.connect()) {
            Database.equal("200", Database.value(connection, "SELECT n FROM counter"));
        }
    }

    private static void terminated() throws Exception {
        try (Connection connection = Database.connect(); Connection other = Database.connect()) {
            int pid = connection.unwrap(PGConnection.class).getBackendPID();
            Database.equal(String.valueOf(pid), Database.value(connection, "SELECT pg_backend_pid()"));
            Database.equal("t", Database.value(other, "SELECT pg_terminate_backend(" + pid + ", 10000)"));
            Database.fails("57P01", () -> Database.value(connection, "SELECT 1"));
            Database.check(connection.isClosed(), "the driver noticed");
        }
    }

    private static void tls() throws Exception {
        try (Connection connection = Database.connect("sslmode", "verify-full", "sslrootcert", System.getenv("ROOT_CERTIFICATE"))) {
            Database.equal("1000000", Database.value(connection, "SELECT length(repeat('x', 1000000))"));
            Database.equal("y".repeat(1_000_000), Database.value(connection, "SELECT repeat('y', 1000000)"));
        }
    }

    private Sessions() {}
}
