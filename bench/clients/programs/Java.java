import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Java's two HTTP clients: `java Java.java HttpClient|HttpURLConnection`; asks as python_clients.py does. */
public final class Java {
    public static void main(String[] arguments) throws Exception {
        String url = System.getenv("URL"), agent = System.getenv("USER_AGENT"), cookie = System.getenv("COOKIE");
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (var file = Files.newInputStream(Path.of(System.getenv("CA")))) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(null, trust.getTrustManagers(), null);
        if (arguments[0].equals("HttpClient")) {
            HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url));
            if (!agent.isEmpty()) request.header("User-Agent", agent);
            if (!cookie.isEmpty()) request.header("Cookie", cookie);
            HttpClient client = HttpClient.newBuilder().sslContext(tls).build();
            System.out.println(client.send(request.build(), HttpResponse.BodyHandlers.discarding()).statusCode());
        } else {
            HttpsURLConnection connection = (HttpsURLConnection) URI.create(url).toURL().openConnection();
            connection.setSSLSocketFactory(tls.getSocketFactory());
            connection.setInstanceFollowRedirects(false);
            if (!agent.isEmpty()) connection.setRequestProperty("User-Agent", agent);
            if (!cookie.isEmpty()) connection.setRequestProperty("Cookie", cookie);
            System.out.println(((HttpURLConnection) connection).getResponseCode());
        }
    }
}
