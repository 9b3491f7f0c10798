package com.github.seed96110120.kinesis;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.net.URI;
import java.nio.file.Path;
import java.util.Collections;
import java.util.concurrent.Callable;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;

/**
 * Checks that this version of KCL has every class, method and field that the classes of this jar
 * use. Java itself checks at the first use, which may be long after leases were taken.
 */
final class Linkage {
    // Tags of a class file's constants, as in section 4.4 of the Java Virtual Machine Specification.
    private static final int UTF8 = 1, INTEGER = 3, FLOAT = 4, LONG = 5, DOUBLE = 6, CLASS = 7, STRING = 8, FIELD = 9,
            METHOD = 10, INTERFACE_METHOD = 11, NAME_AND_TYPE = 12, METHOD_HANDLE = 15, METHOD_TYPE = 16,
            DYNAMIC = 17, INVOKE_DYNAMIC = 18, MODULE = 19, PACKAGE = 20;

    private final int[] tags;
    private final String[] texts;
    private final int[] first; // the constants that a constant refers to
    private final int[] second;

    /** Returns the first class, method or field that is missing, or null. */
    static String missing() throws Exception {
        URI jar = Linkage.class.getProtectionDomain().getCodeSource().getLocation().toURI();
        try (JarFile file = new JarFile(Path.of(jar).toFile())) {
            for (JarEntry entry : Collections.list(file.entries())) {
                if (entry.getName().endsWith(".class")) {
                    try (InputStream in = file.getInputStream(entry)) {
                        String missing = new Linkage(new DataInputStream(in)).look();
                        if (missing != null) {
                            return missing;
                        }
                    }
                }
            }
        }
        return null;
    }

    private Linkage(DataInputStream in) throws IOException {
        in.skipNBytes(8); // magic, version
        int count = in.readUnsignedShort();
        tags = new int[count];
        texts = new String[count];
        first = new int[count];
        second = new int[count];
        for (int i = 1; i < count; i++) {
            tags[i] = in.readUnsignedByte();
            switch (tags[i]) {
                case UTF8 -> texts[i] = in.readUTF();
                case INTEGER, FLOAT -> in.skipNBytes(4);
                case LONG, DOUBLE -> {
                    in.skipNBytes(8);
                    i++; // these take two indexes
                }
                case CLASS, STRING, METHOD_TYPE, MODULE, PACKAGE -> first[i] = in.readUnsignedShort();
                case FIELD, METHOD, INTERFACE_METHOD, NAME_AND_TYPE, DYNAMIC, INVOKE_DYNAMIC -> {
                    first[i] = in.readUnsignedShort();
                    second[i] = in.readUnsignedShort();
                }
                case METHOD_HANDLE -> in.skipNBytes(3);
                default -> throw new IOException("unknown constant: " + tags[i]);
            }
        }
    }

    private String look() {
        for (int i = 1; i < tags.length; i++) {
            int owner = tags[i] == CLASS ? i : tags[i] == FIELD || tags[i] == METHOD || tags[i] == INTERFACE_METHOD ? first[i] : 0;
            String name = owner == 0 ? "" : texts[first[owner]].replace('/', '.');
            if (!name.startsWith("software.") && !name.startsWith("com.fasterxml.") && !name.startsWith("ch.qos.")
                    && !name.startsWith("org.")) {
                continue;
            }
            try {
                Class<?> type = Class.forName(name, false, Linkage.class.getClassLoader());
                if (owner != i) {
                    String member = texts[first[second[i]]];
                    String descriptor = texts[second[second[i]]];
                    if (!has(type, member, descriptor, tags[i] == FIELD)) {
                        return name + "." + member + descriptor;
                    }
                }
            } catch (ClassNotFoundException | IllegalAccessException e) {
                return name;
            } catch (TypeNotPresentException e) { // in the descriptor
                return e.typeName();
            } catch (LinkageError e) { // of a class that this one uses
                return name + " (" + e + ")";
            }
        }
        return null;
    }

    /** Looks for a member as Java's linker does, and ignores all other members of the class. */
    private static boolean has(Class<?> type, String name, String descriptor, boolean field)
            throws IllegalAccessException {
        MethodHandles.Lookup in = MethodHandles.privateLookupIn(type, MethodHandles.lookup());
        ClassLoader loader = Linkage.class.getClassLoader();
        if (field) {
            Class<?> of = MethodType.fromMethodDescriptorString("()" + descriptor, loader).returnType();
            return found(() -> in.findGetter(type, name, of)) || found(() -> in.findStaticGetter(type, name, of));
        }
        MethodType of = MethodType.fromMethodDescriptorString(descriptor, loader);
        return name.equals("<init>")
                ? found(() -> in.findConstructor(type, of))
                : found(() -> in.findVirtual(type, name, of)) || found(() -> in.findStatic(type, name, of));
    }

    private static boolean found(Callable<MethodHandle> find) {
        try {
            return find.call() != null;
        } catch (Exception e) { // there is no such member, or only a static one
            return false;
        }
    }
}
