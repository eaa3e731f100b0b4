import java.math.BigDecimal;
import java.sql.BatchUpdateException;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.sql.Types;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/** Queries, prepared statements, batches, transactions. */
final class Statements {
    static void register(Map<String, Main.Scenario> scenarios) {
        for (String mode : new String[] {"simple", "extended", "extendedForPrepared", "extendedCacheEverything"}) {
            scenarios.put("query mode " + mode, () -> queryMode(mode));
        }
        scenarios.put("server-side prepared statements", Statements::serverPrepared);
        scenarios.put("binary transfer", Statements::binaryTransfer);
        scenarios.put("batches", () -> batches("false"));
        scenarios.put("rewritten batches", () -> batches("true"));
        scenarios.put("generated keys", Statements::generatedKeys);
        scenarios.put("savepoints and automatic savepoints", Statements::savepoints);
        scenarios.put("callable statements", Statements::callable);
        scenarios.put("metadata", Statements::metadata);
    }

    /** The same small application in each of the driver's protocol modes. */
    private static void queryMode(String mode) throws Exception {
        try (Connection connection = Database.connect("preferQueryMode", mode)) {
            Database.execute(connection, "CREATE TABLE t (id int PRIMARY KEY, v text, price numeric); INSERT INTO t VALUES (0, 'zero', 0)");
            connection.setAutoCommit(false);
            try (PreparedStatement insert = connection.prepareStatement("INSERT INTO t VALUES (?, ?, ?)")) {
                for (int n = 1; n <= 50; n++) {
                    insert.setInt(1, n);
                    insert.setString(2, "it's ? \\ é漢 " + n);
                    insert.setBigDecimal(3, new BigDecimal(n + ".50"));
                    Database.equal(1, insert.executeUpdate());
                }
            }
            connection.commit();
            try (PreparedStatement select = connection.prepareStatement("SELECT v, price FROM t WHERE id = ?")) {
                for (int n = 1; n <= 50; n++) {
                    select.setInt(1, n);
                    try (ResultSet rows = select.executeQuery()) {
                        Database.check(rows.next(), "no row");
                        Database.equal("it's ? \\ é漢 " + n, rows.getString(1));
                        Database.equal(new BigDecimal(n + ".50"), rows.getBigDecimal(2));
                    }
                }
            }
            try (Statement statement = connection.createStatement()) {
                Database.check(statement.execute("SELECT 1; UPDATE t SET v = 'x' WHERE id < 10; SELECT 2"), "no first result");
                Database.check(!statement.getMoreResults(), "the second result is an update count");
                Database.equal(10, statement.getUpdateCount());
                Database.check(statement.getMoreResults(), "no third result");
            }
            Database.fails("23505", () -> Database.execute(connection, "INSERT INTO t VALUES (1, 'again', 0)"));
            Database.fails("25P02", () -> Database.execute(connection, "SELECT 1"));
            connection.rollback();
            Database.equal("51", Database.value(connection, "SELECT count(*) FROM t"));
            Database.equal("0", Database.value(connection, "SELECT count(*) FROM t WHERE v = 'x'"));
            connection.rollback();
        }
    }

    private static void serverPrepared() throws Exception {
        try (Connection connection = Database.connect("prepareThreshold", "3", "preparedStatementCacheQueries", "4")) {
            Database.execute(connection, "CREATE TABLE t (a int)");
            try (PreparedStatement select = connection.prepareStatement("SELECT * FROM t WHERE a < ?")) {
                for (int n = 0; n < 10; n++) {
                    select.setInt(1, n);
                    select.executeQuery().close();
                }
                Database.equal("1", Database.value(connection, "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%a < %'"));
                Database.execute(connection, "ALTER TABLE t ADD b int DEFAULT 7");
                Database.execute(connection, "INSERT INTO t VALUES (1)");
                // Outside a transaction the driver recovers from "cached plan must not change result type" by itself.
                try (ResultSet rows = select.executeQuery()) {
                    Database.check(rows.next(), "no row after ALTER TABLE");
                    Database.equal(7, rows.getInt(2));
                }
            }
            for (int statement = 0; statement < 12; statement++) {
                for (int n = 0; n < 5; n++) {
                    try (PreparedStatement prepared = connection.prepareStatement("SELECT ?::int + " + statement)) {
                        prepared.setInt(1, n);
                        try (ResultSet rows = prepared.executeQuery()) {
                            Database.check(rows.next(), "no row");
                            Database.equal(n + statement, rows.getInt(1));
                        }
                    }
                }
            }
            Database.check(Integer.parseInt(Database.value(connection, "SELECT count(*) FROM pg_prepared_statements")) <= 6, "statements are closed");
            Database.execute(connection, "DEALLOCATE ALL");
            Database.equal("1", Database.value(connection, "SELECT 1"));
        }
    }

    private static void binaryTransfer() throws Exception {
        for (String threshold : new String[] {"-1", "1", "0"}) {
            try (Connection connection = Database.connect("prepareThreshold", threshold, "binaryTransfer", "true")) {
                String sql = "SELECT ?::int8, ?::numeric, ?::timestamptz, ?::uuid, ?::bytea, ?::int4[], ?::date, ?::float8, ?::bool, ?::text";
                try (PreparedStatement select = connection.prepareStatement(sql)) {
                    OffsetDateTime when = OffsetDateTime.of(2024, 2, 29, 12, 0, 0, 1000, ZoneOffset.UTC);
                    UUID uuid = new UUID(1, 2);
                    byte[] bytes = new byte[100_000];
                    Arrays.fill(bytes, (byte) 200);
                    for (int round = 0; round < 8; round++) {
                        select.setLong(1, Long.MIN_VALUE);
                        select.setBigDecimal(2, new BigDecimal("-12345678901234567890.000000001"));
                        select.setObject(3, when);
                        select.setObject(4, uuid);
                        select.setBytes(5, bytes);
                        select.setArray(6, connection.createArrayOf("int4", new Integer[] {1, null, 3}));
                        select.setObject(7, LocalDate.of(1, 1, 1));
                        select.setDouble(8, 1.5e-300);
                        select.setBoolean(9, true);
                        select.setNull(10, Types.VARCHAR);
                        try (ResultSet rows = select.executeQuery()) {
                            Database.check(rows.next(), "no row");
                            Database.equal(Long.MIN_VALUE, rows.getLong(1));
                            Database.equal(new BigDecimal("-12345678901234567890.000000001"), rows.getBigDecimal(2));
                            Database.equal(when, rows.getObject(3, OffsetDateTime.class));
                            Database.equal(uuid, rows.getObject(4));
                            Database.equal(bytes, rows.getBytes(5));
                            Database.equal(new Integer[] {1, null, 3}, rows.getArray(6).getArray());
                            Database.equal(LocalDate.of(1, 1, 1), rows.getObject(7, LocalDate.class));
                            Database.equal(1.5e-300, rows.getDouble(8));
                            Database.equal(true, rows.getBoolean(9));
                            Database.equal(null, rows.getString(10));
                        }
                    }
                }
            }
        }
    }

    private static void batches(String rewrite) throws Exception {
        try (Connection connection = Database.connect("reWriteBatchedInserts", rewrite)) {
            Database.execute(connection, "CREATE TABLE t (id int PRIMARY KEY, v text)");
            connection.setAutoCommit(false);
            try (PreparedStatement insert = connection.prepareStatement("INSERT INTO t VALUES (?, ?)")) {
                for (int n = 0; n < 5000; n++) {
                    insert.setInt(1, n);
                    insert.setString(2, "value " + n);
                    insert.addBatch();
                    if (n % 1000 == 999) {
                        Database.equal(1000, insert.executeBatch().length);
                    }
                }
                connection.commit();
                for (int n = 5000; n < 6000; n++) {
                    insert.setInt(1, n == 5700 ? 1 : n);
                    insert.setString(2, "second batch");
                    insert.addBatch();
                }
                try {
                    insert.executeBatch();
                    throw new AssertionError("a duplicate key must fail the batch");
                } catch (BatchUpdateException problem) {
                    Database.equal("23505", problem.getSQLState());
                }
                connection.rollback();
            }
            try (Statement mixed = connection.createStatement()) {
                mixed.addBatch("UPDATE t SET v = 'u' WHERE id < 10");
                mixed.addBatch("DELETE FROM t WHERE id >= 4000");
                mixed.addBatch("INSERT INTO t VALUES (9999, 'n')");
                Database.equal(new int[] {10, 1000, 1}, mixed.executeBatch());
            }
            connection.commit();
            Database.equal("4001", Database.value(connection, "SELECT count(*) FROM t"));
            connection.commit();
        }
    }

    private static void generatedKeys() throws Exception {
        try (Connection connection = Database.connect()) {
            Database.execute(connection, "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text, at timestamptz DEFAULT now())");
            try (PreparedStatement insert = connection.prepareStatement("INSERT INTO t (v) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
                Set<Integer> keys = new HashSet<>();
                for (int n = 0; n < 300; n++) {
                    insert.setString(1, "v" + n);
                    insert.addBatch();
                }
                insert.executeBatch();
                try (ResultSet rows = insert.getGeneratedKeys()) {
                    while (rows.next()) {
                        keys.add(rows.getInt("id"));
                    }
                }
                Database.equal(300, keys.size());
            }
            try (PreparedStatement update = connection.prepareStatement("UPDATE t SET v = ? WHERE id <= 3", new String[] {"id", "v"})) {
                update.setString(1, "new");
                Database.equal(3, update.executeUpdate());
                try (ResultSet rows = update.getGeneratedKeys()) {
                    Database.check(rows.next() && rows.getString("v").equals("new"), "the updated columns come back");
                }
            }
        }
    }

    private static void savepoints() throws Exception {
        try (Connection connection = Database.connect("autosave", "always")) {
            Database.execute(connection, "CREATE TABLE t (n int PRIMARY KEY)");
            connection.setAutoCommit(false);
            connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            Database.equal("serializable", Database.value(connection, "SHOW transaction_isolation"));
            Database.execute(connection, "INSERT INTO t VALUES (1)");
            Savepoint savepoint = connection.setSavepoint("a point");
            Database.execute(connection, "INSERT INTO t VALUES (2)");
            Database.fails("23505", () -> Database.execute(connection, "INSERT INTO t VALUES (2)"));
            Database.equal("2", Database.value(connection, "SELECT count(*) FROM t"));
            connection.rollback(savepoint);
            connection.releaseSavepoint(savepoint);
            connection.commit();
            Database.equal("1", Database.value(connection, "SELECT count(*) FROM t"));
            connection.rollback();
            connection.setReadOnly(true);
            Database.fails("25006", () -> Database.execute(connection, "INSERT INTO t VALUES (3)"));
            connection.rollback();
        }
        try (Connection connection = Database.connect()) {
            connection.setAutoCommit(false);
            Database.execute(connection, "INSERT INTO t VALUES (10)");
            Database.fails("22012", () -> Database.execute(connection, "SELECT 1 / 0"));
            Database.fails("25P02", () -> Database.execute(connection, "SELECT 1"));
            connection.commit();
            Database.equal("1", Database.value(connection, "SELECT count(*) FROM t"));
            connection.rollback();
        }
    }

    private static void callable() throws Exception {
        try (Connection connection = Database.connect("escapeSyntaxCallMode", "callIfNoReturn")) {
            Database.execute(connection, "CREATE TABLE log (n int);"
                + "CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2';"
                + "CREATE PROCEDURE record(INOUT n int) LANGUAGE plpgsql AS"
                + " $$ BEGIN INSERT INTO log VALUES (n); COMMIT; INSERT INTO log VALUES (n); n := n + 1; END $$");
            try (CallableStatement call = connection.prepareCall("{? = call twice(?)}")) {
                call.registerOutParameter(1, Types.INTEGER);
                call.setInt(2, 21);
                call.execute();
                Database.equal(42, call.getInt(1));
            }
            try (CallableStatement call = connection.prepareCall("{call record(?)}")) {
                call.registerOutParameter(1, Types.INTEGER);
                call.setInt(1, 5);
                call.execute();
                Database.equal(6, call.getInt(1));
            }
            Database.equal("2", Database.value(connection, "SELECT count(*) FROM log"));
        }
    }

    private static void metadata() throws Exception {
        try (Connection connection = Database.connect("ApplicationName", "java shop")) {
            Database.equal("java shop", Database.value(connection, "SHOW application_name"));
            Database.execute(connection, "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int REFERENCES parent, note varchar(20) NOT NULL)");
            try (ResultSet rows = connection.getMetaData().getColumns(null, "public", "child", "%")) {
                Database.check(rows.next() && rows.next(), "two columns");
                Database.equal("note", rows.getString("COLUMN_NAME"));
                Database.equal(20, rows.getInt("COLUMN_SIZE"));
            }
            try (ResultSet rows = connection.getMetaData().getImportedKeys(null, "public", "child")) {
                Database.check(rows.next(), "a foreign key");
                Database.equal("parent", rows.getString("PKTABLE_NAME"));
            }
            try (PreparedStatement statement = connection.prepareStatement("SELECT id, note FROM child WHERE note = ?")) {
                Database.equal(2, statement.getMetaData().getColumnCount());
                Database.equal(1, statement.getParameterMetaData().getParameterCount());
            }
            SQLException problem = Database.fails("42703", () -> Database.execute(connection, "SELECT nothing FROM child"));
            Database.check(problem.getMessage().contains("Position: 8"), problem.getMessage());
            Database.check(connection.isValid(5), "valid");
        }
    }

    private Statements() {}
}
