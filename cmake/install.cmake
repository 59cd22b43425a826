# make install PREFIX=...: command, libraries, public headers, recipes, pkg-config file.
include(GNUInstallDirs)
install(TARGETS libhillock hillock_core ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET hillock)
  install(TARGETS hillock RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
# hillock_ext.h, for authors of members, names the kernel table as the sources do.
install(FILES core/kernel/kernel.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/kernel)
install(DIRECTORY recipes DESTINATION ${CMAKE_INSTALL_DATADIR}/hillock OPTIONAL)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(libs "-lhillock")
if(NOT onednn_found STREQUAL "no")
  string(APPEND libs " ${DNNL_LIBRARY}")
endif()
if(NOT cblas_found STREQUAL "no")
  string(APPEND libs " ${OPENBLAS_LIBRARY}")
endif()
file(WRITE ${CMAKE_BINARY_DIR}/hillock.pc "\
prefix=\${pcfiledir}/../..
Name: hillock
Description: ${PROJECT_DESCRIPTION}
Version: ${PROJECT_VERSION}
Requires: libarchive jansson libfyaml zlib libjpeg libpng
Cflags: -I\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}
Libs: -L\${prefix}/${CMAKE_INSTALL_LIBDIR} ${libs} -lm -fopenmp -pthread
")
install(FILES ${CMAKE_BINARY_DIR}/hillock.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
