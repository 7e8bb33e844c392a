# Programs where nixpkgs has them, and the authorities that the installation of
# ca-certificates-java makes a key store of.
home=lib/jvm/$(ls lib/jvm | grep '^java-[0-9]*-')
ln -s "jvm/${home##*/}" lib/openjdk
mkdir bin
for program in "$home"/bin/*; do ln -s "../$program" bin/; done
[ ! -d "$home/include" ] || ln -s "$home/include" include
rm -rf "$home/docs" "$home/man"
if [ -n "${authorities:-}" ]; then
  cp "$authorities" "$home/lib/security/cacerts"
else
  cat > "$NIX_BUILD_TOP/Authorities.java" <<'END'
import java.io.*;
import java.nio.file.*;
import java.security.KeyStore;
import java.security.cert.*;

public class Authorities {
    public static void main(String[] args) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        CertificateFactory x509 = CertificateFactory.getInstance("X.509");
        try (DirectoryStream<Path> files = Files.newDirectoryStream(Path.of(args[0]), "*.crt")) {
            for (Path file : files)
                try (InputStream in = Files.newInputStream(file)) {
                    store.setCertificateEntry(file.getFileName().toString(), x509.generateCertificate(in));
                }
        }
        try (OutputStream out = new FileOutputStream(args[1])) {
            store.store(out, null);
        }
    }
}
END
  rm -f "$home/lib/security/cacerts"
  bin/java -Dkeystore.pkcs12.certProtectionAlgorithm=NONE -Dkeystore.pkcs12.macAlgorithm=NONE "$NIX_BUILD_TOP/Authorities.java" \
    "$(look /usr/share/ca-certificates/mozilla)" "$home/lib/security/cacerts"
fi
