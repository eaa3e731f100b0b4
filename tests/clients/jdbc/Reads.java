import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Arrays;

/** Prints what the driver makes of reads, in each of its modes: of pairs of a text with one parameter, and its value. */
public final class Reads {
    /** Query mode, and how often a statement is run before the server keeps it prepared; -1: at once, and in binary. */
    private static final String[] STYLES = {"simple 5", "extended 5", "extended -1", "extendedForPrepared 1", "extendedCacheEverything 2"};

    private static final int LONGEST = 6;

    public static void main(String[] reads) throws Exception {
        for (String style : STYLES) {
            String[] parts = style.split(" ");
            try (Connection connection = Database.connect("preferQueryMode", parts[0], "prepareThreshold", parts[1])) {
                all(connection, style, reads, 0);
                connection.setAutoCommit(false);
                all(connection, style + " in a block", reads, 0);
                connection.commit();
                all(connection, style + " in parts", Arrays.copyOfRange(reads, LONGEST, LONGEST + 2), 70);
                connection.rollback();
            }
        }
        System.exit(0);
    }

    private static void all(Connection connection, String style, String[] reads, int portion) throws SQLException {
        for (int read = 0; read < reads.length; read += 2) {
            try (PreparedStatement select = connection.prepareStatement(reads[read])) {
                for (int round = 0; round < 2; round++) {
                    select.setInt(1, Integer.parseInt(reads[read + 1]));
                    select.setFetchSize(portion);
                    try (ResultSet rows = select.executeQuery()) {
                        show(style, rows);
                    }
                }
            }
            try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(reads[read].replace("?", reads[read + 1]))) {
                show(style + " without a parameter", rows);
            }
        }
    }

    private static void show(String style, ResultSet rows) throws SQLException {
        ResultSetMetaData columns = rows.getMetaData();
        StringBuilder line = new StringBuilder(style);
        for (int column = 1; column <= columns.getColumnCount(); column++) {
            line.append(" ").append(columns.getColumnName(column)).append(":").append(columns.getColumnTypeName(column));
        }
        while (rows.next()) {
            line.append("\n ");
            for (int column = 1; column <= columns.getColumnCount(); column++) {
                Object value = rows.getObject(column);
                line.append(" | ").append(value instanceof byte[] bytes ? Arrays.toString(bytes) : value);
            }
        }
        System.out.println(line);
    }

    private Reads() {}
}
