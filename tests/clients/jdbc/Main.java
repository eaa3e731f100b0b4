import java.util.LinkedHashMap;
import java.util.Map;

/** Runs one scenario by name, or lists the names. The server is described by the environment (PGHOST, ...). */
public final class Main {
    interface Scenario {
        void run() throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, Scenario> scenarios = new LinkedHashMap<>();
        Statements.register(scenarios);
        Streams.register(scenarios);
        Sessions.register(scenarios);
        if (arguments.length == 0) {
            scenarios.keySet().forEach(System.out::println);
            return;
        }
        for (String name : arguments) {
            scenarios.get(name).run();
            System.out.println("done: " + name);
        }
        System.exit(0);
    }

    private Main() {}
}
