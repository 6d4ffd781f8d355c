"""A client that names itself a program is believed; no browser is taken for one."""

from __future__ import annotations

import re

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from gateway.decision import Agent
from gateway.proxy.agent import APPS, AUTOMATION_TAG, DEVICES, MAX_CHARACTERS, REFUSED_TAGS, read_agent

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
MAC, WINDOWS, LINUX = "Macintosh; Intel Mac OS X 10_15_7", "Windows NT 10.0; Win64; x64", "X11; Linux x86_64"
IPHONE, ANDROID = "iPhone; CPU iPhone OS 18_5 like Mac OS X", "Linux; Android 10; K"

BROWSERS: list[tuple[str, bool, str]] = [
    # family, whether such a browser always sends fetch metadata, user agent
    ("chrome", True, f"Mozilla/5.0 ({WINDOWS}) {WEBKIT} Chrome/142.0.0.0 Safari/537.36"),
    ("chrome", True, f"Mozilla/5.0 ({MAC}) {WEBKIT} Chrome/142.0.0.0 Safari/537.36"),
    ("chrome", True, f"Mozilla/5.0 ({LINUX}) {WEBKIT} Chrome/156.0.0.0 Safari/537.36"),
    ("chrome", True, f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/141.0.0.0 Safari/537.36"),
    ("chrome", True, f"Mozilla/5.0 ({ANDROID}) {WEBKIT} Chrome/141.0.0.0 Mobile Safari/537.36"),
    ("chrome", True, f"Mozilla/5.0 ({WINDOWS}) {WEBKIT} Chrome/80.0.3987.132 Safari/537.36"),
    ("chrome", False, f"Mozilla/5.0 ({WINDOWS}) {WEBKIT} Chrome/79.0.3945.130 Safari/537.36"),
    ("chrome", False, f"Mozilla/5.0 (Windows NT 6.1; WOW64) {WEBKIT} Chrome/49.0.2623.112 Safari/537.36"),
    ("chrome", True, f"Mozilla/5.0 (Linux; Android 15; CPH2725 Build/AP3A.240617.008; wv) {WEBKIT} Version/4.0 Chrome/138.0.7204.179 Mobile Safari/537.36"),
    ("chrome", True, f"Mozilla/5.0 (Linux; Android 15; PLB110 Build/AP3A.240617.008) {WEBKIT} Chrome/130.0.6723.58 Mobile Safari/537.36"),
    ("chrome", False, "Mozilla/5.0 (Linux; Android 4.4.2; ViewSonic V500 Build/KVT49L) AppleWebKit/535.19 (KHTML, like Gecko) Chrome/18.0.1025.166 Mobile Safari/535.19"),
    ("chrome", True, f"Mozilla/5.0 (Linux; Android 8.0.0; Expanse) {WEBKIT} Chrome/86.0.4240.99 Mobile Safari/537.36"),
    ("chrome", True, f"Mozilla/5.0 ({LINUX}) {WEBKIT} Ubuntu Chromium/90.0.4430.93 Chrome/90.0.4430.93 Safari/537.36"),
    ("chrome", True, f"Mozilla/5.0 ({LINUX}) {WEBKIT} QtWebEngine/6.7.2 Chrome/118.0.5993.220 Safari/537.36"),
    ("chrome", True, f"Mozilla/5.0 ({WINDOWS}) {WEBKIT} Teams/1.7.00.21751 Chrome/120.0.6099.291 Electron/28.2.10 Safari/537.36"),
    ("chrome", True, f"Mozilla/5.0 (Linux; Android 14; SM-A536B Build/UP1A.231005.007; wv) {WEBKIT} Version/4.0 Chrome/126.0.6478.122 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/470.0.0.35.108;]"),
    ("chrome", True, f"Mozilla/5.0 (Linux; Android 13; Pixel 7; wv) {WEBKIT} Version/4.0 Chrome/124.0.6367.82 Mobile Safari/537.36 Instagram 330.0.0.40.92 Android"),
    ("chrome", True, f"Mozilla/5.0 (Linux; Android 12; M2102J20SG) {WEBKIT} Version/4.0 Chrome/119.0.0.0 Mobile Safari/537.36 WhatsApp/2.24.1.78"),
    ("chrome", True, f"Mozilla/5.0 (Linux; Android 7.1.2; G011A Build/N2G48H; wv) {WEBKIT} Version/4.0 Chrome/128.0.0.0 Safari/537.36 Viber/11.9.5.8"),
    ("chrome", True, f"Mozilla/5.0 ({WINDOWS}) {WEBKIT} Slack/4.41.105 Chrome/130.0.6723.137 Electron/33.2.1 Safari/537.36"),
    ("edge", True, f"Mozilla/5.0 ({WINDOWS}) {WEBKIT} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"),
    ("edge", True, f"Mozilla/5.0 ({ANDROID}) {WEBKIT} Chrome/138.0.0.0 Mobile Safari/537.36 EdgA/138.0.0.0"),
    ("edge", False, f"Mozilla/5.0 ({IPHONE}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.0 EdgiOS/138.0.3351.83 Mobile/15E148 Safari/604.1"),
    ("edge", False, "Mozilla/5.0 (Windows NT 10.0; Win64; x64; Trident/7.0; rv:11.0) like Gecko Edge/18.17763"),
    ("opera", True, f"Mozilla/5.0 ({WINDOWS}) {WEBKIT} Chrome/134.0.0.0 Safari/537.36 OPR/119.0.0.0"),
    ("opera", False, "Opera/9.80 (Windows NT 6.1; WOW64) Presto/2.12.388 Version/12.18"),
    ("opera", False, "Opera/9.80 (Android; Opera Mini/36.2.2254/119.132; U; id) Presto/2.12.423 Version/12.16"),
    ("vivaldi", True, f"Mozilla/5.0 ({LINUX}) {WEBKIT} Chrome/136.0.0.0 Safari/537.36 Vivaldi/7.4.3684.43"),
    ("yandex", True, f"Mozilla/5.0 ({WINDOWS}) {WEBKIT} Chrome/134.0.0.0 YaBrowser/25.4.0.0 Safari/537.36"),
    ("samsung", True, f"Mozilla/5.0 (Linux; Android 14; SM-S918B) {WEBKIT} SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36"),
    ("chrome", True, f"Mozilla/5.0 ({ANDROID}) {WEBKIT} Chrome/123.0.0.0 Mobile Safari/537.36 DuckDuckGo/5"),
    ("chrome", True, f"Mozilla/5.0 (Linux; U; Android 15; zh-CN; PKH120 Build/AP3A.240617.008) {WEBKIT} Version/4.0 Chrome/100.0.4896.58 UCBrowser/17.5.8.1389 Mobile Safari/537.36"),
    ("chrome", False, f"Mozilla/5.0 (Linux; Android 10; ivvi V1M; wv) {WEBKIT} Version/4.0 Chrome/68.0.3440.106 Mobile Safari/537.36 AWP/2.0 SogouMSE,SogouMobileBrowser/5.24.6"),
    ("firefox", True, "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"),
    ("firefox", True, "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("firefox", True, "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("firefox", True, "Mozilla/5.0 (Android 15; Mobile; rv:141.0) Gecko/141.0 Firefox/141.0"),
    ("firefox", True, "Mozilla/5.0 (Windows NT 10.0; rv:90.0) Gecko/20100101 Firefox/90.0"),
    ("firefox", False, "Mozilla/5.0 (Windows NT 10.0; WOW64; rv:52.0) Gecko/20100101 Firefox/52.0"),
    ("firefox", False, f"Mozilla/5.0 ({IPHONE}) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/140.0 Mobile/15E148 Safari/605.1.15"),
    ("firefox", False, "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Goanna/6.8 Firefox/128.0 PaleMoon/33.8.0"),
    ("firefox", False, "Mozilla/5.0 (Windows NT 10.0; rv:91.0) Gecko/20100101 Firefox/91.0 SeaMonkey/2.53.20"),
    ("safari", True, f"Mozilla/5.0 ({MAC}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15"),
    ("safari", True, f"Mozilla/5.0 ({IPHONE}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"),
    ("safari", True, f"Mozilla/5.0 ({MAC}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.4 Safari/605.1.15"),
    ("safari", True, f"Mozilla/5.0 ({MAC}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.10.1 Safari/605.1.15"),
    ("safari", False, f"Mozilla/5.0 ({MAC}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.3 Safari/605.1.15"),
    ("safari", False, "Mozilla/5.0 (iPad; CPU OS 12_5_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Mobile/15E148 Safari/604.1"),
    ("safari", True, f"Mozilla/5.0 ({LINUX}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Safari/605.1.15"),
    ("safari", True, f"Mozilla/5.0 ({LINUX}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15 Epiphany/605.1.15"),
    ("chrome", False, f"Mozilla/5.0 ({IPHONE}) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/138.0.7204.156 Mobile/15E148 Safari/604.1"),
    ("", False, f"Mozilla/5.0 ({IPHONE}) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/470.0.0.33.108;FBDV/iPhone15,2]"),
    ("", False, f"Mozilla/5.0 ({IPHONE}) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 LinkedInApp/9.30"),
    ("safari", False, f"Mozilla/5.0 ({IPHONE}) AppleWebKit/605.1.15 (KHTML, like Gecko) GSA/380.0.788317806 Mobile/15E148 Safari/604.1"),
    ("", False, "AppleCoreMedia/1.0.0.22F76 (iPhone; U; CPU OS 18_5 like Mac OS X; nl_be)"),
    ("internet explorer", False, "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko"),
    ("internet explorer", False, "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; SLCC2; .NET CLR 2.0.50727; OfficeLiveConnector.1.4; OfficeLivePatch.1.3)"),
    ("", False, "Lynx/2.9.2 libwww-FM/2.14 SSL-MM/1.4.1 GNUTLS/3.8.9"),
    ("", False, "w3m/0.5.3+git20230121"),
    ("", False, "Links (2.29; Linux 6.1.0-25-amd64 x86_64; GNU C 12.2; text)"),
    ("", False, "ELinks/0.16.1.1 (textmode; Linux 6.1.0 x86_64; 80x25-2)"),
    ("", False, "edbrowse/3.8.0"),
    ("", False, "Dillo/3.1.1"),
    ("", False, "NetSurf/3.11 (Linux)"),
]  # fmt: skip

PROGRAMS = [
    "curl/8.5.0",
    "Wget/1.21.4",
    "python-requests/2.32.3",
    "Python/3.11 aiohttp/3.14.0",
    "python-httpx/0.28.1",
    "Python-urllib/3.13",
    "Scrapy/2.12 (+https://scrapy.org)",
    "Go-http-client/1.1",
    "okhttp/4.12.0",
    "Apache-HttpClient/5.4 (Java/21)",
    "Java/17.0.1",
    "axios/1.7.9",
    "node",
    "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
    "undici",
    "got (https://github.com/sindresorhus/got)",
    "libwww-perl/6.77",
    "GuzzleHttp/7",
    "PHP-Curl-Class/9.19",
    "Ruby",
    "HTTPie/3.2.4",
    "PostmanRuntime/7.43.0",
    "insomnia/10.3.0",
    "Mozilla/5.0 (Windows NT; Windows NT 10.0; nl-BE) WindowsPowerShell/5.1.22621.4391",
    "Mozilla/4.0 (compatible; Win32; WinHttp.WinHttpRequest.5)",
    "Mozilla/4.0 (compatible; MSIE 6.0; MS Web Services Client Protocol 4.0.30319.42000)",
    "Mozilla/3.0 (compatible; Indy Library)",
    "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 7 Build/AP2A.240805.005)",
    "MyApp/1 CFNetwork/1568.200.51 Darwin/24.1.0",
    "RestSharp/112.1.0.0",
    "reqwest/0.12.9",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 (compatible; Butterfly/1.0; +http://labs.topsy.com/butterfly/) Gecko/2009032608",
    "Sogou web spider/4.0(+http://www.sogou.com/docs/help/webmasters.htm#07)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
    "Mozilla/5.0 (compatible; Twitterbot/1.0)",
    "Mozilla/5.0 (compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
    "Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)",
    "Mozilla/5.0 zgrab/0.x",
    "Mozilla/5.0 (pc-x86_64-linux-gnu) Siege/4.0.7",
    "Mozilla/5.0 (Hydra)",
    "Mozilla/4.0 (compatible; w3af.org)",
    "Mozilla/5.0 " + "x" * MAX_CHARACTERS,
    "anything",
]

AUTOMATIONS = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Puppeteer",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Playwright/1.50",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0 Selenium/4.27",
    "Mozilla/5.0 (linux) AppleWebKit/537.36 (KHTML, like Gecko) jsdom/26.0.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Cypress/14.0.0 Chrome/130.0.6723.137 Electron/33.2.1 Safari/537.36",
]

OFFICE = [
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Word 16.0.14326; Pro)",
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17928; Pro)",
    "Microsoft Office/14.0 (Windows NT 6.1; Microsoft Outlook 14.0.6106; Pro; ms-office; MSOffice 14)",
    "Microsoft Office Word 2014",
    "Microsoft Office Excel 2014",
    "Microsoft Office Word/16.78.1008 (Mac OS/14.0; Desktop; nl-BE; NonAppStore; Apple/Mac14,9)",
    "Microsoft Office PowerPoint/16.112.821 (Mac OS/26.5.2; Desktop; fr-BE; AppStore; Apple/Mac16,2)",
    "Microsoft Office OneNote/16.0.13801.20288 (Windows/10.0; Desktop x64; nl-BE; Desktop app; LENOVO/81W8)",
    "Microsoft Office Word/2.45.106 (iOS/14.2; Tablet; nl-BE; AppStore; Apple/iPad8,9)",
    "Microsoft Office Existence Discovery",
    "Microsoft Office Protocol Discovery",
    "Mozilla/4.0 (compatible; ms-office; MSOffice 16)",
    "Mozilla/4.0 (compatible; ms-office; MSOffice rmj)",
    "ms-office; MSOffice 16",
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/8.0; .NET4.0C; .NET4.0E; Microsoft Outlook 15.0.4737; ms-office; MSOffice 15)",
    "Microsoft Excel/16.89 CFNetwork/1568.200.51 Darwin/24.1.0",
    "Microsoft Data Access Internet Publishing Provider Protocol Discovery",
    "Mozilla/4.0 (compatible; MS FrontPage 15.0)",
    "MSFrontPage/15.0",
]


@pytest.mark.parametrize(("family", "sends_metadata", "user_agent"), BROWSERS)
def test_browsers(family: str, sends_metadata: bool, user_agent: str) -> None:
    text_browser = not user_agent.startswith(("Mozilla/", "Opera/", "AppleCoreMedia/"))
    assert read_agent(user_agent) == (Agent.BROWSER, family, sends_metadata, text_browser)


@pytest.mark.parametrize(
    ("agent", "user_agent"),
    [
        *[(Agent.PROGRAM, word) for word in PROGRAMS],
        *[(Agent.AUTOMATION, word) for word in AUTOMATIONS],
        *[(Agent.OFFICE, word) for word in OFFICE],
        *[(Agent.ABSENT, word) for word in ("", " ", "\t")],
    ],
)
def test_others(agent: Agent, user_agent: str) -> None:
    assert read_agent(user_agent) == (agent, "", False, False)


def test_words_and_patterns_find_what_the_list_says() -> None:
    """The list's patterns are split into words and expressions: together they are the list."""
    for entry in CRAWLER_USER_AGENTS_DATA:
        whole = re.compile(entry["pattern"])
        if not REFUSED_TAGS.intersection(entry["tags"]) or entry["pattern"] in APPS | DEVICES:
            continue
        for seen in entry.get("instances", ()):
            named = f"Mozilla/5.0 (compatible; {seen})"[:MAX_CHARACTERS]
            if whole.search(named):
                found = read_agent(named).agent
                assert found in (Agent.PROGRAM, Agent.AUTOMATION, Agent.OFFICE), named
                assert found is not Agent.PROGRAM or AUTOMATION_TAG not in entry["tags"], named


def test_what_is_left_out_of_the_list_is_in_it() -> None:
    """Else the next version of the list would make a name here mean nothing."""
    assert {entry["pattern"] for entry in CRAWLER_USER_AGENTS_DATA} >= APPS | DEVICES
