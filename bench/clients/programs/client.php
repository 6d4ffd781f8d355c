<?php
// PHP's curl extension and its streams: `php client.php curl|stream`; asks as python_clients.py does.
$url = getenv("URL");
$agent = getenv("USER_AGENT");
$cookie = getenv("COOKIE");
if ($argv[1] === "curl") {
    $curl = curl_init($url);
    curl_setopt_array($curl, [CURLOPT_RETURNTRANSFER => true, CURLOPT_CAINFO => getenv("CA")]);
    if ($agent) curl_setopt($curl, CURLOPT_USERAGENT, $agent);
    if ($cookie) curl_setopt($curl, CURLOPT_COOKIE, $cookie);
    curl_exec($curl);
    echo curl_getinfo($curl, CURLINFO_RESPONSE_CODE), "\n";
} else {
    $http = ["ignore_errors" => true, "follow_location" => 0];
    if ($agent) $http["user_agent"] = $agent;
    if ($cookie) $http["header"] = "Cookie: $cookie";
    file_get_contents($url, false, stream_context_create(["http" => $http, "ssl" => ["cafile" => getenv("CA")]]));
    echo explode(" ", $http_response_header[0])[1], "\n";
}
