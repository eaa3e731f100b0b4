import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.StringReader;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyIn;
import org.postgresql.copy.CopyManager;
import org.postgresql.copy.CopyOut;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;
import org.postgresql.replication.LogSequenceNumber;
import org.postgresql.replication.PGReplicationStream;

/** What is larger than one message: fetched portions, COPY, large objects, replication. */
final class Streams {
    static void register(Map<String, Main.Scenario> scenarios) {
        scenarios.put("fetch size", () -> fetchSize("false"));
        scenarios.put("adaptive fetch", () -> fetchSize("true"));
        scenarios.put("copy manager", Streams::copyManager);
        scenarios.put("large objects", Streams::largeObjects);
        scenarios.put("logical replication", Streams::logicalReplication);
    }

    private static void fetchSize(String adaptive) throws Exception {
        try (Connection connection = Database.connect("adaptiveFetch", adaptive, "defaultRowFetchSize", "40", "maxResultBuffer", "10M")) {
            connection.setAutoCommit(false);
            try (PreparedStatement select = connection.prepareStatement("SELECT n, repeat('x', 200) FROM generate_series(1, ?) n")) {
                for (int round = 0; round < 7; round++) {
                    select.setFetchSize(round == 0 ? 1 : round * 33);
                    select.setInt(1, 2000);
                    try (ResultSet rows = select.executeQuery(); ResultSet between = connection.createStatement().executeQuery("SELECT 'between'")) {
                        Database.check(between.next(), "no row");
                        for (int n = 1; n <= 2000; n++) {
                            Database.check(rows.next(), "too few rows");
                            Database.equal(n, rows.getInt(1));
                        }
                        Database.check(!rows.next(), "too many rows");
                    }
                }
            }
            try (Statement statement = connection.createStatement()) {
                statement.setFetchSize(10);
                ResultSet abandoned = statement.executeQuery("SELECT generate_series(1, 1000000)");
                Database.check(abandoned.next(), "no row");
                abandoned.close();
                ResultSet failing = statement.executeQuery("SELECT 1 / (25 - n) FROM generate_series(1, 100) n");
                Database.fails("22012", () -> {
                    while (failing.next()) {
                        failing.getInt(1);
                    }
                });
            }
            connection.rollback();
            try (Statement updatable = connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
                updatable.execute("CREATE TABLE t AS SELECT n AS id, 'old' AS v FROM generate_series(1, 10) n; ALTER TABLE t ADD PRIMARY KEY (id)");
                ResultSet rows = updatable.executeQuery("SELECT id, v FROM t ORDER BY id");
                Database.check(rows.absolute(5), "no fifth row");
                rows.updateString("v", "new");
                rows.updateRow();
                Database.equal("new", Database.value(connection, "SELECT v FROM t WHERE id = 5"));
            }
            connection.commit();
        }
    }

    private static void copyManager() throws Exception {
        try (Connection connection = Database.connect()) {
            Database.execute(connection, "CREATE TABLE t (id int, v text)");
            CopyManager copy = connection.unwrap(PGConnection.class).getCopyAPI();
            StringBuilder lines = new StringBuilder();
            for (int n = 0; n < 30000; n++) {
                lines.append(n).append("\tvalue é ").append(n).append('\n');
            }
            Database.equal(30000L, copy.copyIn("COPY t FROM STDIN", new StringReader(lines.toString())));
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            Database.equal(30000L, copy.copyOut("COPY (SELECT * FROM t ORDER BY id) TO STDOUT", out));
            Database.equal(lines.toString(), out.toString(UTF_8));
            ByteArrayOutputStream binary = new ByteArrayOutputStream();
            copy.copyOut("COPY t TO STDOUT (FORMAT binary)", binary);
            Database.equal(30000L, copy.copyIn("COPY t FROM STDIN (FORMAT binary)", new ByteArrayInputStream(binary.toByteArray()), 777));
            Database.fails("22P02", () -> copy.copyIn("COPY t FROM STDIN", new StringReader(lines + "bad\tline\n" + lines)));
            CopyIn cancelled = copy.copyIn("COPY t FROM STDIN");
            byte[] row = "1\tx\n".getBytes(UTF_8);
            cancelled.writeToCopy(row, 0, row.length);
            cancelled.cancelCopy();
            CopyOut failing = copy.copyOut("COPY (SELECT 1 / (9000 - n) FROM generate_series(1, 10000) n) TO STDOUT");
            Database.fails("22012", () -> {
                while (failing.readFromCopy() != null) {
                    Database.check(failing.isActive(), "still copying");
                }
            });
            Database.equal("60000", Database.value(connection, "SELECT count(*) FROM t"));
        }
    }

    /** The driver calls lo_open and its relatives through FunctionCall messages. */
    private static void largeObjects() throws Exception {
        try (Connection connection = Database.connect()) {
            connection.setAutoCommit(false);
            LargeObjectManager manager = connection.unwrap(PGConnection.class).getLargeObjectAPI();
            byte[] content = new byte[300_000];
            new Random(1).nextBytes(content);
            long identifier = manager.createLO(LargeObjectManager.READWRITE);
            try (LargeObject large = manager.open(identifier, LargeObjectManager.READWRITE)) {
                large.write(content);
                large.seek64(100_000, LargeObject.SEEK_SET);
                Database.equal(Arrays.copyOfRange(content, 100_000, 150_000), large.read(50_000));
                Database.equal(150_000L, large.tell64());
                Database.equal(300_000L, large.size64());
                large.truncate(1000);
            }
            connection.commit();
            try (LargeObject large = manager.open(identifier, LargeObjectManager.READ)) {
                Database.equal(Arrays.copyOf(content, 1000), large.getInputStream().readAllBytes());
            }
            manager.delete(identifier);
            connection.commit();
            Database.fails("42704", () -> manager.open(identifier, LargeObjectManager.READ));
            connection.rollback();
            Database.equal("0", Database.value(connection, "SELECT count(*) FROM pg_largeobject_metadata"));
            connection.commit();
        }
    }

    private static void logicalReplication() throws Exception {
        try (Connection sql = Database.connect();
            Connection replicating = Database.connect("replication", "database", "assumeMinServerVersion", "9.4", "preferQueryMode", "simple")) {
            Database.execute(sql, "CREATE TABLE watched (id int PRIMARY KEY)");
            PGConnection connection = replicating.unwrap(PGConnection.class);
            connection.getReplicationAPI().createReplicationSlot().logical()
                .withSlotName("jdbc_slot").withOutputPlugin("test_decoding").withTemporaryOption().make();
            try (PGReplicationStream stream = connection.getReplicationAPI().replicationStream().logical()
                .withSlotName("jdbc_slot").withSlotOption("include-xids", false).start()) {
                Database.execute(sql, "INSERT INTO watched SELECT generate_series(1, 500)");
                int inserts = 0;
                while (inserts < 500) {
                    String change = UTF_8.decode(stream.read()).toString();
                    inserts += change.startsWith("table public.watched: INSERT") ? 1 : 0;
                    LogSequenceNumber received = stream.getLastReceiveLSN();
                    stream.setFlushedLSN(received);
                    stream.setAppliedLSN(received);
                }
                stream.forceUpdateStatus();
            }
        }
    }

    private Streams() {}
}
