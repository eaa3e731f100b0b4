import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Objects;
import java.util.Properties;

/** Connections to the database under test, and checks that say what they saw. */
final class Database {
    /** A connection with driver properties given as name, value, name, value, ... */
    static Connection connect(String... properties) throws SQLException {
        Properties all = new Properties();
        all.setProperty("user", System.getenv("PGUSER"));
        all.setProperty("password", System.getenv("PGPASSWORD"));
        all.setProperty("sslmode", "disable");
        for (int i = 0; i < properties.length; i += 2) {
            all.setProperty(properties[i], properties[i + 1]);
        }
        return DriverManager.getConnection(url(), all);
    }

    static String url() {
        String database = URLEncoder.encode(System.getenv("PGDATABASE"), StandardCharsets.UTF_8).replace("+", "%20");
        return "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + database;
    }

    static void execute(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    /** The single value a query returns, as text. */
    static String value(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(sql)) {
            check(rows.next(), "no row from " + sql);
            return rows.getString(1);
        }
    }

    static void equal(Object expected, Object seen) {
        check(Objects.deepEquals(expected, seen), "expected " + expected + ", saw " + seen);
    }

    static void check(boolean holds, String message) {
        if (!holds) {
            throw new AssertionError(message);
        }
    }

    interface Action {
        void run() throws Exception;
    }

    /** Runs the action, which must fail with this SQLSTATE. */
    static SQLException fails(String state, Action action) throws Exception {
        try {
            action.run();
        } catch (SQLException problem) {
            check(state.equals(problem.getSQLState()), "expected " + state + ", saw " + problem.getSQLState() + " " + problem);
            return problem;
        }
        throw new AssertionError("expected SQLSTATE " + state + ", but nothing failed");
    }

    /** Waits until another session's query matches, which PostgreSQL announces to nobody. */
    static void awaitRunning(String pattern) throws Exception {
        long deadline = System.nanoTime() + 15_000_000_000L;
        try (Connection observer = connect()) {
            String query = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"
                + " AND datname = current_database() AND query LIKE '" + pattern + "'";
            while (value(observer, query).equals("0")) {
                check(System.nanoTime() < deadline, "never running: " + pattern);
                Thread.sleep(20);
            }
        }
    }

    private Database() {}
}
