import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.util.Properties;
import java.util.TreeMap;

/**
 * Reads files from standard input, each preceded by its length. For each file it prints one line with
 * the properties that java.util.Properties reads, in hexadecimal.
 */
public class Dump {
    public static void main(String[] args) throws Exception {
        DataInputStream in = new DataInputStream(new ByteArrayInputStream(System.in.readAllBytes()));
        StringBuilder out = new StringBuilder();
        while (in.available() > 0) {
            byte[] file = new byte[in.readInt()];
            in.readFully(file);
            try {
                Properties properties = new Properties();
                properties.load(new ByteArrayInputStream(file));
                TreeMap<String, String> sorted = new TreeMap<>();
                for (String key : properties.stringPropertyNames()) {
                    sorted.put(hex(key), hex(properties.getProperty(key)));
                }
                sorted.forEach((k, v) -> out.append(k).append('=').append(v).append(';'));
            } catch (IllegalArgumentException e) {
                out.append("malformed");
            }
            out.append('\n');
        }
        System.out.print(out);
    }

    private static String hex(String s) {
        StringBuilder b = new StringBuilder();
        s.codePoints().forEach(c -> {
            // Go strings have no lone surrogates.
            for (char unit : Character.toChars(c >= 0xd800 && c < 0xe000 ? 0xfffd : c)) {
                b.append(String.format("%04x", (int) unit));
            }
        });
        return b.toString();
    }
}
