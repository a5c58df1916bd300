// Image=: what is taken, what is refused with which words, and the files that are looked for.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/text.h"
#include "config/image_name.h"

namespace husk::config {
namespace {

using Names = std::vector<std::string>;

std::string Says(std::string_view text) {
    auto value = ParseImage(text);
    if (value) return Cat("taken as ", *value);
    return Cat(value.error()->text, " (", value.error()->hint, ")");
}

TEST(ImageName, IsAFilesNameOrPathOrAReference) {
    EXPECT_EQ(ParseImage("web").value(), "web");
    EXPECT_EQ(ParseImage("Web_1.27.erofs").value(), "Web_1.27.erofs");
    EXPECT_EQ(ParseImage("/img//web.erofs").value(), "/img/web.erofs");
    for (const char* good :
         {"nginx:1.27", "nginx:latest", "library/nginx", "docker.io/library/nginx:1.27-alpine_3",
          "localhost/web", "localhost:5000/web", "ghcr.io/a/b-c/d--e.f__g_h:V1", "box:5000/web",
          "quay.io/x/web.image", "nginx:_"})
        EXPECT_EQ(Says(good), Cat("taken as ", good));
}

TEST(ImageName, FollowsTheGrammarOfRegistries) {
    for (const char* bad :
         {"..",          "-x",           "/a/../b", "nginx:",  "nginx:.1",   "nginx:-1",
          "nginx:x/2",   "nginx:a b",    "a//b",    "a/",      "docker.io/", "docker.io/:1",
          "-a/b",        "a-/b",         "x/a__.b", "a___b/c", "a..b/c/d",   "my_host:5000/x/",
          "host:port/x", "host:99999/x", "-h.io/x", "oci:/x",  "a b/c",      "dir:x/y",
          "a/b\xc3\xa4"})
        EXPECT_FALSE(ParseImage(bad)) << bad;
    EXPECT_TRUE(ParseImage("nginx:" + std::string(128, 'a')));
    EXPECT_FALSE(ParseImage("nginx:" + std::string(129, 'a')));
    EXPECT_TRUE(ParseImage("docker.io/" + std::string(245, 'a')));
    EXPECT_FALSE(ParseImage("docker.io/" + std::string(246, 'a')));
}

TEST(ImageName, ARefusalSaysWhatToWrite) {
    EXPECT_EQ(Says("docker.io/library/Nginx:1"),
              "image repository 'library/Nginx' has capital letters (did you mean "
              "'library/nginx'?)");
    EXPECT_EQ(Says("docker://docker.io/nginx"),
              "'docker://docker.io/nginx' is not an image file (nothing is pulled; write "
              "'docker.io/nginx' for a file of that name)");
    EXPECT_EQ(Says("nginx:-1"),
              "'-1' is not an image tag (letters, digits and '.', '_', '-', at most 128, not begun "
              "by '.' or '-')");
    EXPECT_EQ(Says("host:port/x"),
              "'host:port' is not a registry (HOST or HOST:PORT, as in "
              "docker.io/library/nginx:1.27)");
    EXPECT_EQ(Says("web.image"),
              "'web.image' is not an image file (image units are not supported; name an erofs or "
              "squashfs file)");
    EXPECT_FALSE(ParseImage("web.build"));
}

TEST(ImageName, ADigestIsAPromiseThatAFilesNameCannotKeep) {
    EXPECT_EQ(Says("docker.io/library/nginx:1.27@sha256:0123"),
              "image 'docker.io/library/nginx:1.27@sha256:0123' asks for exact bytes by a digest, "
              "and a file's name cannot promise them (write 'docker.io/library/nginx:1.27', and "
              "ImageVerity= with the root hash of the file)");
    EXPECT_FALSE(ParseImage("nginx@sha256"));
}

TEST(ImageFileNames, OfAPlainNameIsThatName) {
    EXPECT_EQ(ImageFileNames("web"), Names{"web"});
    EXPECT_EQ(ImageFileNames("web.erofs"), Names{"web.erofs"});
}

TEST(ImageFileNames, OfAReferenceBeginWithWhatSaysMost) {
    EXPECT_EQ(ImageFileNames("docker.io/library/nginx:1.27"), (Names{"nginx_1.27", "nginx"}));
    EXPECT_EQ(ImageFileNames("nginx:1.27"), (Names{"nginx_1.27", "nginx"}));
    EXPECT_EQ(ImageFileNames("docker.io/bitnami/nginx:1.27"),
              (Names{"bitnami_nginx_1.27", "bitnami_nginx", "nginx_1.27", "nginx"}));
    EXPECT_EQ(ImageFileNames("localhost:5000/a/b/c:1"), (Names{"a_b_c_1", "a_b_c", "c_1", "c"}));
}

TEST(ImageFileNames, LatestIsTheTagWhereNoneIsGiven) {
    EXPECT_EQ(ImageFileNames("docker.io/library/nginx"), (Names{"nginx_latest", "nginx"}));
    EXPECT_EQ(ImageFileNames("nginx:latest"), ImageFileNames("library/nginx"));
}

}  // namespace
}  // namespace husk::config
